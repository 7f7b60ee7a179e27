"""The files for operators fit: settings exist, metrics exist, manifests are what Kubernetes knows."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes.client as kube
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from askdmt.assistant import Assistant
from askdmt.settings import Settings
from askdmt.web.metrics import Metrics

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "operating"
_MADE_BY_PROMETHEUS = {"job", "instance", "le"}


def read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(read("alerts.yaml"))["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(read("dashboard.json"))["panels"])


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(read("kubernetes.yaml")))


QUERIES = [rule["expr"] for rule in alerts()] + [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.fixture
def series(quick: Assistant) -> dict[str, set[str]]:
    """The labels of every series that a server shows."""
    families = text_string_to_metric_families(Metrics(lambda: quick.knowledge).render().decode())
    found: dict[str, set[str]] = {"up": set()}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def selectors(parsed: Any) -> Iterator[Any]:
    """Yield the series that a query reads."""
    if isinstance(parsed, promql_parser.VectorSelector):
        yield parsed
    for name in ("vector_selector", "expr", "lhs", "rhs"):
        if inner := getattr(parsed, name, None):
            yield from selectors(inner)
    for argument in getattr(parsed, "args", None) or ():
        yield from selectors(argument)


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_reads_series_that_there_are_by_labels_that_they_have(
    query: str, series: dict[str, set[str]]
) -> None:
    read_here = list(selectors(promql_parser.parse(query)))
    labels = _MADE_BY_PROMETHEUS.copy()
    assert read_here
    for selector in read_here:
        assert selector.name in series, selector.name
        known = series[selector.name] | _MADE_BY_PROMETHEUS
        labels |= known
        assert {matcher.name for matcher in selector.matchers.matchers} <= known
    grouped = {name.strip() for names in re.findall(r"\bby \(([^)]*)\)", query) for name in names.split(",")}
    assert grouped <= labels


def test_every_metric_is_on_the_dashboard_or_in_an_alert(series: dict[str, set[str]]) -> None:
    shown = {selector.name for query in QUERIES for selector in selectors(promql_parser.parse(query))}
    families = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in series}
    assert families == {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown}


def test_every_metric_and_every_alert_is_explained(series: dict[str, set[str]]) -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    metrics = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in series if not name.endswith("_created")}
    assert {name for name in explained if name.startswith("askdmt_")} == metrics - {"up"}
    assert {name for name in explained if name.startswith("AskDMT")} == {rule["alert"] for rule in alerts()}


def test_alerts_say_what_happened_and_how_grave_it_is() -> None:
    for rule in alerts():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


# Settings


def unit() -> dict[str, list[str]]:
    """Return the lines of the systemd unit's [Service], by key."""
    lines: dict[str, list[str]] = {}
    parser = configparser.RawConfigParser(strict=False, dict_type=dict)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(read("askdmt.service"))
    for line in read("askdmt.service").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            lines.setdefault(key, []).append(value)
    assert {"Unit", "Service", "Install"} == set(parser.sections())
    return lines


def given() -> dict[str, dict[str, str]]:
    """Return the settings that each file gives, by file."""
    compose = yaml.safe_load(read("compose.yaml"))
    config = next(part for part in manifests() if part["kind"] == "ConfigMap")
    container = re.findall(r"^(?:ENV|)\s+(ASKDMT_\w+)=(\S+?)(?: \\)?$", read("Containerfile"), re.MULTILINE)
    return {
        "askdmt.service": dict(line.split("=", 1) for line in unit()["Environment"]),
        "Containerfile": dict(container),
        "compose.yaml": compose["x-askdmt"]["environment"],
        "kubernetes.yaml": config["data"],
    }


@pytest.mark.parametrize("file", given())
def test_every_setting_of_a_file_exists_and_its_value_fits(file: str) -> None:
    settings = given()[file]
    assert settings
    names = set(re.findall(r"\bASKDMT_[A-Z_]+\b", read(file)))
    assert {name.removeprefix("ASKDMT_").lower() for name in names} <= {*Settings.model_fields, "config"}
    fields = {name.removeprefix("ASKDMT_").lower(): value for name, value in settings.items()}
    fields.pop("config", None)
    assert Settings(**fields)


def test_every_setting_that_a_page_names_exists() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        names = set(re.findall(r"\bASKDMT_[A-Z_]+\b", page.read_text(encoding="utf-8")))
        assert {name.removeprefix("ASKDMT_").lower().rstrip("_") for name in names} <= {
            *Settings.model_fields, "config", "",
        }, page.name  # fmt: skip


# Manifests


KINDS = {
    "ConfigMap": "V1ConfigMap", "Deployment": "V1Deployment", "Service": "V1Service", "StatefulSet": "V1StatefulSet",
    "PodDisruptionBudget": "V1PodDisruptionBudget", "NetworkPolicy": "V1NetworkPolicy",
}  # fmt: skip


def misfits(value: Any, kind: str, where: str) -> Iterator[str]:
    """Yield the places at which a manifest does not fit Kubernetes' own description of it."""
    if inner := re.fullmatch(r"(?:list\[|dict[\[(]str, )(.*)[\])]", kind):
        wanted = list if kind.startswith("list") else dict
        if not isinstance(value, wanted):
            yield f"{where} is not a {wanted.__name__}"
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from misfits(item, inner[1], f"{where}.{key}")
    elif kind.startswith("V1"):
        model = getattr(kube, kind)
        fields = {written: model.openapi_types[name] for name, written in model.attribute_map.items()}
        for key, item in value.items():
            if key in fields:
                yield from misfits(item, fields[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is unknown"
    elif kind in ("str", "int", "bool"):
        if type(value).__name__ != kind:
            yield f"{where} is a {type(value).__name__}, not a {kind}"
    elif kind != "object":
        yield f"{where} is a {kind}, which this test does not know"


@pytest.mark.parametrize("manifest", manifests(), ids=lambda part: f"{part['kind']} {part['metadata']['name']}")
def test_a_manifest_is_what_kubernetes_knows(manifest: dict[str, Any]) -> None:
    assert list(misfits(manifest, KINDS[manifest["kind"]], manifest["kind"])) == []


def test_a_manifest_with_a_slip_is_found() -> None:
    deployment = next(part for part in manifests() if part["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["imge"] = "x"
    deployment["spec"]["replicas"] = "2"
    assert len(list(misfits(deployment, "V1Deployment", ""))) == 2


def test_services_find_their_pods_and_their_ports() -> None:
    parts = manifests()
    pods = [part["spec"]["template"] for part in parts if part["kind"] in ("Deployment", "StatefulSet")]
    for service in (part for part in parts if part["kind"] == "Service"):
        (found,) = [pod for pod in pods if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
        ports = {port["name"] for container in found["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_probes_ask_for_paths_that_there_are() -> None:
    container = next(part for part in manifests() if part["kind"] == "Deployment")["spec"]["template"]["spec"]
    (askdmt,) = container["containers"]
    probes = {name: askdmt[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def test_compose_names_services_networks_and_volumes_that_there_are() -> None:
    compose = yaml.safe_load(read("compose.yaml"))
    for name, service in compose["services"].items():
        assert set(service["networks"]) <= set(compose["networks"]), name
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name
        assert service.get("image"), name
    hosts = set(re.findall(r"server ([\w-]+):\d+", read("nginx.conf")))
    assert hosts == {name for name in compose["services"] if name.startswith("askdmt")}
    assert read("nginx.conf").count("{") == read("nginx.conf").count("}")


def test_the_unit_starts_and_reloads_what_there_is() -> None:
    lines = unit()
    assert lines["ExecStart"] == ["/opt/askdmt/bin/askdmt serve"]
    assert lines["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert lines["LimitCORE"] == ["0"]  # a crash must not write a visitor's words to the disk
