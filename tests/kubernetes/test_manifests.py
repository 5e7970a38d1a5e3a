"""deploy/kubernetes: what Kubernetes would refuse, and what would contradict doneyet's settings."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from autoscaler.policy import TO_ZERO_AFTER_S, Policy
from deploy.health import TIMEOUT_S
from doneyet.command.main import doneyet
from doneyet.command.setting_options import settings_from
from doneyet.setting_values import env_name
from doneyet.settings import CLIENT_KEY, Settings
from doneyet.task_types import load_registry
from http_server.keys.roles import ROLES
from http_server.middleware.access import Access

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
Manifest = dict[str, Any]


def manifests() -> Iterator[Manifest]:
    for name in KUSTOMIZATION["resources"]:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


ALL = list(manifests())
PODS = [each for each in ALL if each["kind"] in ("Deployment", "StatefulSet")]
SCALED = [each for each in ALL if each["kind"] == "ScaledObject"]


def named(each: Manifest) -> str:
    return f"{each['kind']}-{each['metadata']['name']}"


def generated(name: str) -> dict[str, str]:
    """What kustomize makes of the literals of one ConfigMap."""
    (found,) = [each for each in KUSTOMIZATION["configMapGenerator"] if each["name"] == name]
    return dict(literal.split("=", 1) for literal in found["literals"])


def spec_of(each: Manifest) -> Manifest:
    spec: Manifest = each["spec"]["template"]["spec"]
    return spec


def environ_of(each: Manifest) -> dict[str, str]:
    """The environment of a pod's container, without what comes from Secrets."""
    (container,) = spec_of(each)["containers"]
    environ: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environ |= generated(source["configMapRef"]["name"])
    return environ | {
        one["name"]: one["value"] for one in container.get("env", []) if "value" in one
    }


def settings_of(each: Manifest) -> Settings:
    """What its program would read, with the models' table of this folder."""
    (container,) = spec_of(each)["containers"]
    _python, _m, program, *flags = container["args"]
    environ = environ_of(each) | {env_name("models"): str(FOLDER / "models.toml")}
    return settings_from(program, flags, environ)


PROGRAMS = [
    each for each in PODS if spec_of(each)["containers"][0]["args"][2] in ("http_server", "worker")
]
WORKERS = [each for each in PROGRAMS if spec_of(each)["containers"][0]["args"][2] == "worker"]
(SERVER,) = [each for each in PROGRAMS if each not in WORKERS]


def test_everything_in_the_folder_is_used() -> None:
    """And what is used is there."""
    files = {each.name for each in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])
    used = {image["name"] for image in KUSTOMIZATION["images"]}
    images = {container["image"] for each in PODS for container in spec_of(each)["containers"]}
    assert {image for image in images if image.startswith("doneyet")} == used


@pytest.mark.parametrize("each", [one for one in ALL if "keda" not in one["apiVersion"]], ids=named)
def test_kubernetes_would_take_it(each: Manifest) -> None:
    """By its own schemas, in which nothing may stand that they do not know."""
    kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("each", PODS, ids=named)
def test_pods_are_confined(each: Manifest) -> None:
    """As the namespace's `restricted` wants it, and they write nowhere but where they may."""
    spec = spec_of(each)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert spec["enableServiceLinks"] is False, "DONEYET_PORT would be the Service's"
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert {one["name"] for one in container.get("volumeMounts", [])} <= {
            *(volume["name"] for volume in spec.get("volumes", [])),
            *(claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])),
        }


@pytest.mark.parametrize("each", PODS, ids=named)
def test_selectors_select(each: Manifest) -> None:
    """A Deployment its pods, and nobody else's."""
    labels = each["spec"]["template"]["metadata"]["labels"]
    selector = each["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    others = [other["spec"]["template"]["metadata"]["labels"] for other in PODS if other != each]
    assert not any(selector.items() <= other.items() for other in others)


def test_services_lead_to_pods() -> None:
    """By their labels and the names of ports; so do budgets of disruptions."""
    for each in ALL:
        if each["kind"] == "Service":
            selector, port = each["spec"]["selector"], each["spec"]["ports"][0]
        elif each["kind"] == "PodDisruptionBudget":
            selector, port = each["spec"]["selector"]["matchLabels"], None
        else:
            continue
        (pods,) = [
            one
            for one in PODS
            if selector.items() <= one["spec"]["template"]["metadata"]["labels"].items()
        ]
        if port:
            ports = spec_of(pods)["containers"][0]["ports"]
            assert port.get("targetPort", port["port"]) in {
                value for one in ports for value in (one["name"], one["containerPort"])
            }


@pytest.mark.parametrize("each", PROGRAMS, ids=named)
def test_every_variable_is_a_setting(each: Manifest) -> None:
    """Of a value that it may have; and the flags are those of the program."""
    known = {env_name(each.name) for each in dataclasses.fields(Settings)} | {CLIENT_KEY}
    assert set(environ_of(each)) <= known
    settings = settings_of(each)
    registry = load_registry(settings)
    if settings.types:
        registry.only(name.strip() for name in settings.types.split(","))


def test_each_type_has_a_worker() -> None:
    """One Deployment and no more, so that they can be scaled apart."""
    served = [name for each in WORKERS for name in settings_of(each).types.split(",")]
    registry = load_registry(settings_of(SERVER))
    assert sorted(served) == sorted(registry.types)


@pytest.mark.parametrize("each", PROGRAMS, ids=named)
def test_pods_may_take_as_long_as_they_drain(each: Manifest) -> None:
    """Else Kubernetes would kill what runs."""
    pause_s = 0
    (container,) = spec_of(each)["containers"]
    if "lifecycle" in container:
        pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    least_s = pause_s + settings_of(each).grace_s + 5  # to end, and for a busy machine
    assert spec_of(each)["terminationGracePeriodSeconds"] >= least_s


@pytest.mark.parametrize("each", PROGRAMS, ids=named)
def test_old_pods_stay_until_new_ones_work(each: Manifest) -> None:
    """By default a quarter of them would go at once."""
    assert each["spec"]["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


@pytest.mark.parametrize("each", WORKERS, ids=named)
def test_probes_wait_for_their_answer(each: Manifest) -> None:
    """`deploy.health` may take a while; and none kills a worker that waits for Redis."""
    (container,) = spec_of(each)["containers"]
    assert "livenessProbe" not in container
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["exec"]["command"] == ["python", "-m", "deploy.health"]
        assert container[probe]["timeoutSeconds"] >= TIMEOUT_S + 5


def test_what_is_asked_for_once_is_seen() -> None:
    """KEDA looks more often than a task lives that nobody asks for again, and a lease longer than
    a pod may take to say that it is ready would leave tasks of a killed one for long."""
    settings = settings_of(SERVER)
    for each in SCALED:
        assert each["spec"]["pollingInterval"] < settings.input_ttl_s
    assert settings.lease_s < settings.input_ttl_s


@pytest.mark.parametrize("each", SCALED, ids=named)
def test_what_is_scaled(each: Manifest) -> None:
    """A worker of one type, by the load of this type, as `doneyet autoscale` would do it."""
    spec = each["spec"]
    (worker,) = [
        one for one in WORKERS if one["metadata"]["name"] == spec["scaleTargetRef"]["name"]
    ]
    assert "replicas" not in worker["spec"], "else each `kubectl apply` would set it"
    (trigger,) = spec["triggers"]
    metadata = trigger["metadata"]
    url = urlsplit(metadata["url"])
    assert url.path == f"/load/{settings_of(worker).types}"
    assert metadata["valueLocation"] == "load"
    assert spec["cooldownPeriod"] >= TO_ZERO_AFTER_S
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher", "nobody goes meanwhile"
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    policy = Policy()
    up, down = behavior["scaleUp"], behavior["scaleDown"]
    assert up["stabilizationWindowSeconds"] == policy.upscale_stabilization_period_s
    assert down["stabilizationWindowSeconds"] == policy.downscale_stabilization_period_s
    assert up["policies"][0]["value"] == 100 * (policy.max_upscale_factor - 1)
    assert down["policies"][0]["value"] == 100 * (1 - policy.max_downscale_factor)


@pytest.mark.parametrize("each", SCALED, ids=named)
def test_keda_reaches_the_server(each: Manifest) -> None:
    """By a name that the server answers to, which is that of its Service, with a key that may."""
    metadata = each["spec"]["triggers"][0]["metadata"]
    host = urlsplit(metadata["url"]).hostname or ""
    service, namespace, _ = host.split(".")
    assert namespace == KUSTOMIZATION["namespace"]
    assert service in [one["metadata"]["name"] for one in ALL if one["kind"] == "Service"]
    access = Access(settings_of(SERVER))
    request = {"PATH_INFO": "/load", "HTTP_HOST": host, "REQUEST_METHOD": "GET"}
    assert access.problem(request) is None
    (authentication,) = [one for one in ALL if one["kind"] == "TriggerAuthentication"]
    assert each["spec"]["triggers"][0]["authenticationRef"]["name"] == named(
        authentication
    ).removeprefix("TriggerAuthentication-")
    assert (metadata["authMode"], metadata["method"]) == ("apiKey", "header")
    assert "read" in ROLES


def test_the_server_asks_for_keys() -> None:
    """Who reaches a pod's network is not known."""
    settings = settings_of(SERVER)
    assert (settings.allow_no_keys, bool(settings.keys)) == ("false", True)


def test_redis_keeps_what_it_is_given() -> None:
    """Nothing is thrown away, what it holds is written to its disk, and it has the memory to."""
    (redis,) = [each for each in PODS if each["kind"] == "StatefulSet"]
    (container,) = spec_of(redis)["containers"]
    flags = dict(zip(container["args"][1::2], container["args"][2::2], strict=True))
    assert (flags["--maxmemory-policy"], flags["--appendonly"]) == ("noeviction", "yes")
    assert flags["--maxmemory"] == "2gb"
    assert container["resources"]["limits"]["memory"] == "4Gi"


def test_redis_is_reached_by_pods_of_its_namespace_alone() -> None:
    """It holds inputs and answers, and asks nobody who they are."""
    (policy,) = [each for each in ALL if each["kind"] == "NetworkPolicy"]
    (redis,) = [each for each in PODS if each["kind"] == "StatefulSet"]
    labels = redis["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    (ingress,) = policy["spec"]["ingress"]
    assert ingress["from"] == [{"podSelector": {}}]
    (container,) = spec_of(redis)["containers"]
    assert ingress["ports"] == [{"port": container["ports"][0]["containerPort"]}]


def test_what_says_who_goes_first() -> None:
    """A command that there is, of the pods that are scaled, allowed to do what it does."""
    (costs,) = [each for each in PODS if each["metadata"]["name"] == "doneyet-deletion-cost"]
    (container,) = spec_of(costs)["containers"]
    python, m, program, name, *flags = container["args"]
    assert shlex.join([python, m, program]) == "python -m doneyet"
    command = doneyet.commands[name]
    command.make_context(name, [*flags])
    assert CLIENT_KEY in [one["name"] for one in container["env"]]
    label, _, value = flags[flags.index("--selector") + 1].partition("=")
    for each in WORKERS:
        assert each["spec"]["template"]["metadata"]["labels"][label] == value
    (role,) = [each for each in ALL if each["kind"] == "Role"]
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]}]


def test_the_guide_names_what_is_there() -> None:
    """The Secrets that it has the reader make are those that pods and KEDA want."""
    guide = (FOLDER.parents[1] / "docs" / "how-to" / "kubernetes.md").read_text()
    text = "\n".join(path.read_text() for path in FOLDER.glob("*.yaml"))
    for name in ("doneyet-keys", "doneyet-read"):
        assert f"create secret generic {name}" in guide
        assert f"ame: {name}" in text
    assert "kubectl apply -k deploy/kubernetes" in guide
