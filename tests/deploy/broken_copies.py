"""For every rule, copies of an overlay that break it: from the rule's name to an overlay and ways to damage it."""

from manifests import named, pod

ROUTER, PREDICTOR, JOB = ("Deployment", "sida-router"), ("Deployment", "sida-predictor"), ("Job", "sida-convert")
WORKER, CPU_POOL = ("StatefulSet", "sida-worker"), ("StatefulSet", "sida-worker-cpu")


def put(what, *path):
    """Puts a value at a path of an object, the path's last step being a key or an index."""
    (kind, name), *steps, value = (what, *path)

    def damage(documents):
        place = named(documents, kind, name)
        for step in steps[:-1]:
            place = place[step]
        place[steps[-1]] = value
    return damage


def cut(what, *path):
    (kind, name), *steps = (what, *path)

    def damage(documents):
        place = named(documents, kind, name)
        for step in steps[:-1]:
            place = place[step]
        del place[steps[-1]]
    return damage


POD = ("spec", "template", "spec")
FIRST = (*POD, "containers", 0)


def setting(config_map, old, new):
    """Replaces text in the file of a ConfigMap, whose name ends in a hash."""
    def damage(documents):
        for document in documents:
            if document["kind"] == "ConfigMap" and document["metadata"]["name"].startswith(config_map + "-"):
                for file, text in document["data"].items():
                    document["data"][file] = text.replace(old, new)
    return damage


def variable(what, name, value):
    def damage(documents):
        entries = pod(named(documents, *what))["containers"][0]["env"]
        next(entry for entry in entries if entry["name"] == name).update(value)
    return damage


def added(document):
    return lambda documents: documents.append(document)


def removed(kind, name):
    return lambda documents: documents.remove(named(documents, kind, name))


POLICY = ("NetworkPolicy", "router")
SCALE = ("ScaledObject", "sida-worker-cpu")
BUDGET = ("PodDisruptionBudget", "sida-workers")
HTTP_LIVE = (*FIRST, "livenessProbe", "httpGet", "path")

BROKEN = {
    "restricted": ("cpu-demo", {
        "a baseline namespace": put(("Namespace", "sida"), "metadata", "labels", "pod-security.kubernetes.io/enforce",
                                    "baseline"),
        "root": put(ROUTER, *POD, "securityContext", "runAsUser", 0),
        "no seccomp": cut(PREDICTOR, *POD, "securityContext", "seccompProfile"),
        "the host's network": put(WORKER, *POD, "hostNetwork", True),
        "a path of the host": put(WORKER, *POD, "volumes", 0, {"name": "config", "hostPath": {"path": "/etc"}}),
        "privileges to gain": put(JOB, *FIRST, "securityContext", "allowPrivilegeEscalation", True),
        "a capability": put(ROUTER, *FIRST, "securityContext", "capabilities", "add", ["NET_RAW"]),
        "an init container that writes": cut(WORKER, *POD, "initContainers", 0, "securityContext",
                                             "readOnlyRootFilesystem"),
    }),
    "told_nothing_of_the_cluster": ("cpu-demo", {
        "a token": cut(ROUTER, *POD, "automountServiceAccountToken"),
        "variables of Services": cut(WORKER, *POD, "enableServiceLinks"),
    }),
    "resources": ("cpu-demo", {
        "no limit": cut(ROUTER, *FIRST, "resources", "limits", "memory"),
        "nothing for an init container": cut(WORKER, *POD, "initContainers", 0, "resources"),
        "less memory asked than used": put(WORKER, *FIRST, "resources", "requests", "memory", "1Mi"),
    }),
    "threads_from_the_cgroup": ("cpu-demo", {
        "a number": variable(WORKER, "SIDA_THREADS", {"valueFrom": {}, "value": "8"}),
        "what is asked for": variable(ROUTER, "SIDA_THREADS", {"valueFrom": {"resourceFieldRef": {
            "containerName": "router", "resource": "requests.cpu"}}}),
        "threads in the file": setting("sida-worker", "model:", "threads: 8\nmodel:"),
    }),
    "experts_fit": ("small-gpus", {
        "not given": setting("sida-worker", "expert-memory: 12GiB", ""),
        "all of the container's": setting("sida-worker", "12GiB", "16GiB"),
        "a smaller container": put(WORKER, *FIRST, "resources", "limits", "memory", "13Gi"),
    }),
    "starts_in_time": ("cpu-demo", {
        "a bigger model": put(ROUTER, "spec", "template", "metadata", "annotations", "sida/reads-at-start", "40GiB"),
        "less patience": put(WORKER, *FIRST, "startupProbe", "failureThreshold", 3),
        "no probe": cut(PREDICTOR, *FIRST, "startupProbe"),
    }),
    "probes": ("cpu-demo", {
        "live when ready": put(ROUTER, *HTTP_LIVE, "/health"),
        "ready when live": put(ROUTER, *FIRST, "readinessProbe", "httpGet", "path", "/v2/health/live"),
        "a path that wants a key": put(ROUTER, *FIRST, "readinessProbe", "httpGet", "path", "/v2/health/ready"),
        "a port that answers": put(WORKER, *FIRST, "livenessProbe", {"tcpSocket": {"port": 9000}}),
        "no file": setting("sida-worker", "alive-file", "# alive-file"),
        "another file": setting("sida-predictor", "/run/sida/alive", "/run/sida/other"),
    }),
    "ends_in_time": ("cpu-demo", {
        "Kubernetes' default": cut(ROUTER, *POD, "terminationGracePeriodSeconds"),
        "a longer grace": setting("sida-router", "shutdown-grace: 60s", "shutdown-grace: 5m"),
        "no grace": setting("sida-worker", "drain-grace: 30s", ""),
        "no preStop": cut(ROUTER, *FIRST, "lifecycle"),
        "a longer preStop": put(PREDICTOR, *FIRST, "lifecycle", "preStop", "exec", "command", ["sleep", "60"]),
    }),
    "one_image": ("cpu-demo", {
        "latest": put(WORKER, *FIRST, "image", "sida:latest"),
        "two versions": put(JOB, *FIRST, "image", "sida:0.0.9"),
    }),
    "files_are_mounted": ("small-gpus", {
        "a model elsewhere": setting("sida-worker", "model: /store/model", "model: /models/mine"),
        "a model that can be written": cut(ROUTER, *FIRST, "volumeMounts", 2, "readOnly"),
        "an alive-file that cannot be": setting("sida-worker", "/run/sida/alive", "/store/alive"),
        "keys for everybody": put(ROUTER, *POD, "volumes", 1, "secret", "defaultMode", 0o444),
        "a volume that is not there": cut(PREDICTOR, *POD, "volumes", 2),
    }),
    "whole_gpus": ("small-gpus", {
        "two": put(WORKER, *FIRST, "resources", "limits", "nvidia.com/gpu", "2"),
        "any node": cut(WORKER, *POD, "nodeSelector"),
        "none on a node that has one": cut(WORKER, *FIRST, "resources", "limits", "nvidia.com/gpu"),
        "kept off by the taint": cut(WORKER, *POD, "tolerations"),
    }),
    "kept_apart": ("mixed", {
        "anywhere": cut(ROUTER, *POD, "topologySpreadConstraints"),
        "by zones only": put(PREDICTOR, *POD, "topologySpreadConstraints", 0, "topologyKey", "topology.kubernetes.io/zone"),
        "both pools as one": cut(CPU_POOL, *POD, "topologySpreadConstraints", 0, "labelSelector", "matchLabels", "sida/pool"),
    }),
    "never_the_last": ("mixed", {
        "no budget": removed(*BUDGET),
        "all at once": put(BUDGET, "spec", "maxUnavailable", "100%"),
        "one worker": put(CPU_POOL, "spec", "replicas", 1),
        "one router": put(ROUTER, "spec", "replicas", 1),
        "a budget for each pool": lambda documents: (
            put(BUDGET, "spec", "selector", "matchLabels", "sida/pool", "cpu")(documents),
            added({"kind": "PodDisruptionBudget", "metadata": {"name": "sida-workers-gpu"}, "spec": {
                "maxUnavailable": 1, "selector": {"matchLabels": {"sida/pool": "gpu"}}}})(documents)),
    }),
    "only_the_links": ("cpu-demo", {
        "nothing denied": removed("NetworkPolicy", "default-deny"),
        "clients from anywhere": cut(POLICY, "spec", "ingress", 0, "from"),
        "all ports": cut(POLICY, "spec", "ingress", 0, "ports"),
        "clients to the admin port": put(POLICY, "spec", "ingress", 0, "ports", 0, "port", 8001),
        "a router that may call out": put(POLICY, "spec", "egress", 2, "to", [{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
        "workers that may call out": put(("NetworkPolicy", "expert-worker"), "spec", "egress", [{}]),
        "no rows": cut(("NetworkPolicy", "expert-worker"), "spec", "ingress", 0, "ports", 1),
        "no names": cut(POLICY, "spec", "egress", 2),
        "a policy more": added({"kind": "NetworkPolicy", "metadata": {"name": "more"}, "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "predictor"}}, "ingress": [{}]}}),
    }),
    "routers_know_everybody": ("mixed", {
        "more workers": put(CPU_POOL, "spec", "replicas", 7),
        "fewer workers": put(("StatefulSet", "sida-worker-gpu"), "spec", "replicas", 1),
        "another Service": setting("sida-router", "sida-worker-gpu:9000", "sida-worker:9000"),
        "no predictor": setting("sida-router", "tcp://sida-predictor:9000", "tcp://sida-oracle:9000"),
        "another port": setting("sida-router", "sida-predictor:9000", "sida-predictor:9001"),
    }),
    "services_reach_pods": ("mixed", {
        "no pods": put(("Service", "sida-router"), "spec", "selector", {"app.kubernetes.io/component": "gateway"}),
        "no port": put(("Service", "sida-predictor"), "spec", "ports", 0, "targetPort", "rows"),
        "one address": cut(("Service", "sida-worker-gpu"), "spec", "clusterIP"),
        "not while it drains": cut(("Service", "sida-worker-cpu"), "spec", "publishNotReadyAddresses"),
        "another Service": put(CPU_POOL, "spec", "serviceName", "sida-worker"),
    }),
    "listens_where_told": ("cpu-demo", {
        "everywhere": variable(WORKER, "SIDA_LISTEN", {"value": "tcp://0.0.0.0:9000"}),
        "under its node's name": variable(WORKER, "SIDA_NAME", {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}),
    }),
    "no_secrets_inside": ("cpu-demo", {
        "a Secret": added({"kind": "Secret", "metadata": {"name": "sida-api-keys"}}),
        "a key": setting("sida-router", "api-key-file: /etc/sida-keys/api/keys", "api-key: [sesame]"),
        "nothing": setting("sida-router", "api-key-file: /etc/sida-keys/api/keys", ""),
    }),
    "links_are_encrypted": ("cpu-demo", {
        "a router without a key": setting("sida-router", "link-secret-key: /etc/sida-keys/link/secret", ""),
        "workers that let in whom they like": setting("sida-worker", "link-allow: /etc/sida-keys/link/allow", ""),
        "keys in the image": setting("sida-predictor", "/etc/sida-keys/link/", "/usr/share/sida/"),
    }),
    "scaled_by_what_is_there": ("mixed", {
        "another pool": put(SCALE, "spec", "scaleTargetRef", "name", "sida-worker"),
        "down to one": put(SCALE, "spec", "minReplicaCount", 1),
        "a metric that is not there": put(SCALE, "spec", "triggers", 0, "metadata", "query", "sum(sida_wanted_workers)"),
        "one router's": put(SCALE, "spec", "triggers", 0, "metadata", "query", "sida_desired_workers"),
        "two workers for each": put(SCALE, "spec", "triggers", 0, "metadata", "threshold", "0.5"),
    }),
    "watched": ("small-gpus", {
        "one of the routers": cut(("Service", "sida-router-admin"), "spec", "clusterIP"),
        "another port": put(("ServiceMonitor", "sida-router"), "spec", "endpoints", 0, "port", "http"),
        "nothing": put(("ServiceMonitor", "sida-router"), "spec", "selector", "matchLabels", {"app": "sida"}),
        "no dashboard": lambda documents: [document["metadata"].pop("labels") for document in documents
                                           if document["metadata"]["name"].startswith("sida-dashboard")],
    }),
}
