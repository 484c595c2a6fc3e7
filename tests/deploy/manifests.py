"""What the overlays of k8s/ come to, as kubectl renders them, and how to find one's way in it."""

import functools
import re
import subprocess

import tools

K8S = tools.SOURCE / "k8s"
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))
SIZES = {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def render_text(folder):
    done = subprocess.run([tools.program("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"kubectl kustomize {folder}: {done.stderr}")
    return done.stdout


@functools.cache
def overlay_text(name):
    return render_text(K8S / "overlays" / name)


def parse(text):
    tools.folder()
    import yaml
    return [document for document in yaml.safe_load_all(text) if document]


def quantity(text):
    """"500m" -> 0.5, "2Gi" -> 2**31, "64MiB" the same way."""
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * SIZES[unit]


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m|h)", text).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def named(documents, kind, name):
    found = [document for document in of_kind(documents, kind) if document["metadata"]["name"] == name]
    return found[0] if found else None


def title(document):
    return f"{document['kind']} {document['metadata']['name']}"


def workloads(documents):
    return of_kind(documents, "Deployment", "StatefulSet", "Job")


def servers(documents):
    return of_kind(documents, "Deployment", "StatefulSet")


def pod(workload):
    return workload["spec"]["template"]["spec"]


def pod_labels(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def role(workload):
    return pod_labels(workload)["app.kubernetes.io/component"]


def of_role(documents, name):
    return [workload for workload in workloads(documents) if role(workload) == name]


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def config(documents, workload):
    """The YAML file that its program gets, and the file's name."""
    arguments = pod(workload)["containers"][0]["args"]
    path = arguments[arguments.index("--config") + 1]
    volume = next(mount["name"] for mount in pod(workload)["containers"][0]["volumeMounts"]
                  if path.startswith(mount["mountPath"] + "/"))
    source = next(volume_of["configMap"]["name"] for volume_of in pod(workload)["volumes"] if volume_of["name"] == volume)
    text = named(documents, "ConfigMap", source)["data"][path.rsplit("/", 1)[1]]
    return parse(text)[0], text


def environment(workload):
    return {entry["name"]: entry for entry in pod(workload)["containers"][0].get("env", [])}
