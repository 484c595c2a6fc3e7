"""What every pod must keep. A rule takes an overlay's documents and answers what is wrong, a sentence each."""

import re

from manifests import config, environment, pod, quantity, role, seconds, servers, title, workloads

READ_BYTES_PER_SECOND = 50e6  # The slowest disk that a start-up probe must bear with.
START_SECONDS = 30  # What starting takes besides reading.
GRACE_SECONDS = 5  # Between the end of a process's own grace and SIGKILL.
OPEN_PATHS = {"/v2/health/live", "/health"}  # Those that need no API key.


def containers(workload):
    return pod(workload).get("initContainers", []) + pod(workload)["containers"]


def restricted(documents):
    """Pod Security's "restricted" profile, by the namespace's labels and in every pod; and a root nobody can write."""
    for namespace in (document for document in documents if document["kind"] == "Namespace"):
        labels = namespace["metadata"].get("labels", {})
        if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{title(namespace)} does not enforce the restricted profile"
    for workload in workloads(documents):
        of_pod = pod(workload).get("securityContext", {})
        if not of_pod.get("runAsNonRoot") or of_pod.get("runAsUser", 0) == 0:
            yield f"{title(workload)} may run as root"
        if of_pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{title(workload)} has no seccomp profile"
        if any(pod(workload).get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{title(workload)} shares the host's namespaces"
        if any("hostPath" in volume for volume in pod(workload).get("volumes", [])):
            yield f"{title(workload)} mounts a path of the host"
        for container in containers(workload):
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{title(workload)}: {container['name']} may gain privileges"
            if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
                yield f"{title(workload)}: {container['name']} keeps capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{title(workload)}: {container['name']} can write its root"


def told_nothing_of_the_cluster(documents):
    """No token of the API server; and no variables of Services, whose names can be those of flags (SIDA_PORT)."""
    for workload in workloads(documents):
        if pod(workload).get("automountServiceAccountToken") is not False:
            yield f"{title(workload)} gets a token of the API server"
        if pod(workload).get("enableServiceLinks") is not False:
            yield f"{title(workload)} gets variables of Services"


def resources(documents):
    """Requests and limits, memory the same in both, so that no pod is ended for another's sake."""
    for workload in workloads(documents):
        for container in containers(workload):
            wanted, most = (container.get("resources", {}).get(key, {}) for key in ("requests", "limits"))
            for resource in ("cpu", "memory"):
                if resource not in wanted or resource not in most:
                    yield f"{title(workload)}: {container['name']} has no request and limit of {resource}"
            if wanted.get("memory") != most.get("memory"):
                yield f"{title(workload)}: {container['name']} may be given less memory than it may use"


def threads_from_the_cgroup(documents):
    """Compute threads are the processors that the container may use."""
    for workload in servers(documents):
        if role(workload) == "predictor":
            continue  # It computes on one thread.
        source = environment(workload).get("SIDA_THREADS", {}).get("valueFrom", {}).get("resourceFieldRef", {})
        name = pod(workload)["containers"][0]["name"]
        if source.get("resource") != "limits.cpu" or source.get("containerName") != name or "divisor" in source:
            yield f"{title(workload)}: threads do not follow the limit of processors"
        if "threads" in config(documents, workload)[0]:
            yield f"{title(workload)}: its file names threads, which its resources say"


def experts_fit(documents):
    """Expert memory is given, since the process sees the host's memory and not its container's, and leaves an eighth."""
    for workload in servers(documents):
        if role(workload) != "expert-worker":
            continue
        experts = config(documents, workload)[0].get("expert-memory")
        limit = quantity(pod(workload)["containers"][0].get("resources", {}).get("limits", {}).get("memory", 0))
        if experts is None:
            yield f"{title(workload)}: expert-memory is not given"
        elif quantity(experts) > limit * 7 / 8:
            yield f"{title(workload)}: {experts} of experts leave too little of its memory"


def starts_in_time(documents):
    """The start-up probe's patience covers what is read before the process answers."""
    for workload in servers(documents):
        reads = workload["spec"]["template"]["metadata"].get("annotations", {}).get("sida/reads-at-start")
        probe = pod(workload)["containers"][0].get("startupProbe", {})
        patience = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
        if reads is None or not probe:
            yield f"{title(workload)}: no start-up probe, or not told what is read at start"
        elif patience < START_SECONDS + quantity(reads) / READ_BYTES_PER_SECOND:
            yield f"{title(workload)}: gives up after {patience} s, before {reads} are read"


def probes(documents):
    """Live: it makes progress. Ready: it can serve; of the router that means every expert."""
    for workload in servers(documents):
        container = pod(workload)["containers"][0]
        live, ready = container.get("livenessProbe", {}), container.get("readinessProbe", {})
        if role(workload) == "router":
            if live.get("httpGet", {}).get("path") != "/v2/health/live":
                yield f"{title(workload)}: its liveness is not /v2/health/live"
            # Not /v2/health/ready: that one wants an API key.
            if ready.get("httpGet", {}).get("path") != "/health":
                yield f"{title(workload)}: its readiness is not /health"
            continue
        file = config(documents, workload)[0].get("alive-file")
        if not file:
            yield f"{title(workload)}: no alive-file, so that nobody sees whether it makes progress"
        for what, probe in (("liveness", live), ("readiness", ready)):
            looked_at = re.search(r"find (\S+) -newermt", " ".join(probe.get("exec", {}).get("command", [])))
            if not looked_at or looked_at[1] != file:
                yield f"{title(workload)}: its {what} does not look at its alive-file"


def ends_in_time(documents):
    """SIGKILL comes after preStop and the process's own grace; what is behind a Service waits in preStop first."""
    for workload in servers(documents):
        spec = pod(workload)
        stop = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        waits = int(stop[1]) if stop[0] == "sleep" else 0
        settings = config(documents, workload)[0]
        grace = {"router": "shutdown-grace", "expert-worker": "drain-grace"}.get(role(workload))
        if grace and grace not in settings:
            yield f"{title(workload)}: {grace} is not given"
        needs = waits + (seconds(settings.get(grace, "0s")) if grace else 0) + GRACE_SECONDS
        if spec.get("terminationGracePeriodSeconds", 30) < needs:
            yield f"{title(workload)}: is killed before its {needs:.0f} s are over"
        if role(workload) != "expert-worker" and waits < 5:
            yield f"{title(workload)}: ends before its Service has stopped sending"


def one_image(documents):
    """All containers run one image with a version, so that all processes speak one protocol."""
    images = {container["image"] for workload in workloads(documents) for container in containers(workload)}
    if len(images) != 1:
        yield f"several images: {sorted(images)}"
    for image in images:
        if ":" not in image or image.endswith(":latest"):
            yield f"image {image} names no version"


def files_are_mounted(documents):
    """Every file or folder that a configuration names lies in a volume; only what the process writes can be written."""
    for workload in servers(documents):
        mounts = pod(workload)["containers"][0]["volumeMounts"]
        given = {mount["name"] for mount in mounts}
        for key, value in config(documents, workload)[0].items():
            if not isinstance(value, str) or not value.startswith("/"):
                continue
            holder = [mount for mount in mounts if value.startswith(mount["mountPath"] + "/")]
            if not holder:
                yield f"{title(workload)}: {key} {value} is in no volume"
            elif (key == "alive-file") == bool(holder[0].get("readOnly")):
                yield f"{title(workload)}: {key} {value} is in a volume that is {'not ' * (key != 'alive-file')}read-only"
        volumes = {volume["name"]: volume for volume in pod(workload)["volumes"]}
        volumes |= {claim["metadata"]["name"]: claim for claim in workload["spec"].get("volumeClaimTemplates", [])}
        for name in given - set(volumes):
            yield f"{title(workload)}: no volume {name}"
        for name, volume in volumes.items():
            if "secret" in volume and volume["secret"].get("defaultMode") != 0o440:
                yield f"{title(workload)}: secret {name} can be read by others"


def whole_gpus(documents):
    """A worker has one GPU, on a node that has one, and asks for it under limits and requests alike."""
    for workload in servers(documents):
        most = pod(workload)["containers"][0].get("resources", {}).get("limits", {}).get("nvidia.com/gpu")
        wants_node = "nvidia.com/gpu.present" in pod(workload).get("nodeSelector", {})
        if most is None and not wants_node:
            continue
        wanted = pod(workload)["containers"][0]["resources"]["requests"].get("nvidia.com/gpu")
        tolerated = any(entry.get("key") == "nvidia.com/gpu" for entry in pod(workload).get("tolerations", []))
        if not (most == wanted == "1" and wants_node and tolerated):
            yield f"{title(workload)}: does not ask for one GPU and a node that has it"


RULES = (restricted, told_nothing_of_the_cluster, resources, threads_from_the_cgroup, experts_fit, starts_in_time, probes,
         ends_in_time, one_image, files_are_mounted, whole_gpus)
