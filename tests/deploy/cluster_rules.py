"""What the objects of an overlay must be to each other. As pod_rules.py."""

import re

from manifests import (config, environment, matches, named, of_kind, of_role, pod, pod_labels, role, servers, title,
                       workloads)
import tools

ROWS = (32768, 60999)  # Linux's own choice of ports.
CLIENTS, MONITORING, DNS = "namespaces sida/clients", "namespaces sida/monitoring", "kube-dns"
LINKS = {
    (CLIENTS, "router", "TCP", (8000, 8000)),
    (MONITORING, "router", "TCP", (8001, 8001)),
    ("router", "expert-worker", "TCP", (9000, 9000)),
    ("router", "expert-worker", "TCP", ROWS),
    ("router", "predictor", "TCP", (9000, 9000)),
    ("router", DNS, "UDP", (53, 53)),
    ("router", DNS, "TCP", (53, 53)),
}


def kept_apart(documents):
    """Every server runs on several nodes where there are several: spread by its own pods' labels."""
    for workload in servers(documents):
        spread = [constraint for constraint in pod(workload).get("topologySpreadConstraints", [])
                  if constraint["topologyKey"] == "kubernetes.io/hostname"]
        if not spread or spread[0]["maxSkew"] != 1:
            yield f"{title(workload)} is not spread over nodes"
        elif spread[0]["labelSelector"]["matchLabels"] != workload["spec"]["selector"]["matchLabels"]:
            yield f"{title(workload)} is spread by labels that are not its own"


def never_the_last(documents):
    """Each server has two pods, and exactly one budget, which gives up one at a time; all workers share one."""
    budgets = of_kind(documents, "PodDisruptionBudget")
    of_workers = set()
    for workload in servers(documents):
        of_it = [budget for budget in budgets if matches(budget["spec"]["selector"], pod_labels(workload))]
        if len(of_it) != 1:
            yield f"{title(workload)} has {len(of_it)} disruption budgets"
            continue
        if role(workload) == "expert-worker":
            of_workers.add(of_it[0]["metadata"]["name"])
        if of_it[0]["spec"].get("maxUnavailable") != 1:
            yield f"{title(of_it[0])} may give up more than one"
        if workload["spec"].get("replicas", 1) < 2:
            yield f"{title(workload)} has one pod, which is the last"
    if len(of_workers) > 1:
        yield "two pools may give up a worker each, and with them both owners of an expert"


def _peers(rule, direction):
    for peer in rule.get("from" if direction == "Ingress" else "to", [{}]):
        space, labels = peer.get("namespaceSelector"), peer.get("podSelector", {}).get("matchLabels", {})
        if space is None and "app.kubernetes.io/component" in labels:
            yield labels["app.kubernetes.io/component"]
        elif space and space.get("matchLabels") == {"sida/clients": "true"}:
            yield CLIENTS
        elif space and space.get("matchLabels") == {"sida/monitoring": "true"}:
            yield MONITORING
        elif space and labels == {"k8s-app": "kube-dns"}:
            yield DNS
        else:
            yield "anybody"


def allowed(documents, direction):
    """Links that policies allow, as (from, to, protocol, ports)."""
    for policy in of_kind(documents, "NetworkPolicy"):
        own = policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/component", "anybody")
        for rule in policy["spec"].get(direction.lower(), []):
            for peer in _peers(rule, direction):
                for port in rule.get("ports", [{}]):
                    first = port.get("port", 0)
                    ends = (peer, own) if direction == "Ingress" else (own, peer)
                    yield (*ends, port.get("protocol", "TCP"), (first, port.get("endPort", first)))


def only_the_links(documents):
    """Nothing may talk but along LINKS, as seen from both ends."""
    denied = [policy for policy in of_kind(documents, "NetworkPolicy") if policy["spec"]["podSelector"] == {}]
    if not any(set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} and
               not policy["spec"].get("ingress") and not policy["spec"].get("egress") for policy in denied):
        yield "nothing denies what no policy allows"
    ours = {role(workload) for workload in workloads(documents)}
    for direction, end in (("Ingress", 1), ("Egress", 0)):
        found, wanted = set(allowed(documents, direction)), {link for link in LINKS if link[end] in ours}
        for link in sorted(found - wanted, key=str):
            yield f"{direction} allows {link}"
        for link in sorted(wanted - found, key=str):
            yield f"{direction} does not allow {link}"


def _pools(documents):
    """Of each pool its workers' names and addresses, up to as many as may be started."""
    for pool in of_role(documents, "expert-worker"):
        scaled = [scale["spec"]["maxReplicaCount"] for scale in of_kind(documents, "ScaledObject")
                  if scale["spec"]["scaleTargetRef"]["name"] == pool["metadata"]["name"]]
        for index in range(max([pool["spec"]["replicas"], *scaled])):
            name = f"{pool['metadata']['name']}-{index}"
            yield f"{name}=tcp://{name}.{pool['spec']['serviceName']}:9000"


def routers_know_everybody(documents):
    """The router's file lists every worker that may be started, and a predictor's Service, and each is there."""
    for router in of_role(documents, "router"):
        settings = config(documents, router)[0]
        listed, there = set(settings["worker"]), set(_pools(documents))
        for worker in sorted(listed ^ there):
            yield f"{title(router)}: worker {worker} is {'no pod' if worker in listed else 'not listed'}"
        endpoint = re.fullmatch(r"(?:\S+=)?tcp://([^:]+):(\d+)", settings.get("predictor-endpoint", ""))
        service = endpoint and named(documents, "Service", endpoint[1])
        if not service or int(endpoint[2]) not in [port["port"] for port in service["spec"]["ports"]]:
            yield f"{title(router)}: no Service is its predictor-endpoint"


def services_reach_pods(documents):
    """Every Service has pods and a port that they listen on; a worker's gives each a name, also while it drains."""
    for service in of_kind(documents, "Service"):
        behind = [workload for workload in servers(documents)
                  if matches({"matchLabels": service["spec"]["selector"]}, pod_labels(workload))]
        if not behind:
            yield f"{title(service)} has no pods"
        for workload in behind:
            ports = {port["name"] for port in pod(workload)["containers"][0]["ports"]}
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"{title(service)}: {title(workload)} has no port {port['targetPort']}"
    for pool in of_kind(documents, "StatefulSet"):
        service = named(documents, "Service", pool["spec"]["serviceName"])
        if not service or service["spec"].get("clusterIP") != "None" or not service["spec"].get("publishNotReadyAddresses"):
            yield f"{title(pool)}: its Service does not name each worker at all times"


def listens_where_told(documents):
    """A worker and a predictor bind their pod's own address and their Service's port, under their pod's name."""
    for workload in servers(documents):
        if role(workload) == "router":
            continue
        variables = environment(workload)
        if variables.get("SIDA_LISTEN", {}).get("value") != "tcp://$(POD_IP):9000":
            yield f"{title(workload)}: does not listen on its pod's address"
        for name, path in (("POD_IP", "status.podIP"), ("SIDA_NAME", "metadata.name")):
            if variables.get(name, {}).get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") != path:
                yield f"{title(workload)}: {name} is not {path}"


def no_secrets_inside(documents):
    """Keys come from Secrets that the operator makes; none is written here, and routers ask for one."""
    for secret in of_kind(documents, "Secret"):
        yield f"{title(secret)} is in the manifests"
    for router in of_role(documents, "router"):
        settings = config(documents, router)[0]
        if "api-key" in settings or "api-key-file" not in settings:
            yield f"{title(router)}: API keys do not come from a file"


def links_are_encrypted(documents):
    """Every process has a link key and its peers' public keys, from a Secret of its role's own."""
    for workload in servers(documents):
        settings = config(documents, workload)[0]
        mounts = {mount["name"]: mount["mountPath"] for mount in pod(workload)["containers"][0]["volumeMounts"]}
        secrets = {mounts[volume["name"]]: volume["secret"]["secretName"] for volume in pod(workload)["volumes"]
                   if "secret" in volume and volume["name"] in mounts}
        for key in ("link-secret-key", "link-allow"):
            folder = settings.get(key, "").rpartition("/")[0]
            if secrets.get(folder) != f"sida-link-{role(workload).removeprefix('expert-')}":
                yield f"{title(workload)}: {key} is not from the Secret of its role"


def watched(documents):
    """Prometheus finds every router's admin port, and the dashboard is the one in deploy/grafana."""
    for monitor in of_kind(documents, "ServiceMonitor"):
        scraped = [service for service in of_kind(documents, "Service")
                   if matches(monitor["spec"]["selector"], service["metadata"]["labels"])]
        if len(scraped) != 1 or scraped[0]["spec"].get("clusterIP") != "None":
            yield f"{title(monitor)} does not find each router"
            continue
        ports = {port["name"] for port in scraped[0]["spec"]["ports"]}
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["port"] not in ports or endpoint["path"] != "/metrics":
                yield f"{title(monitor)} asks for what is not there"
        dashboards = [document for document in of_kind(documents, "ConfigMap")
                      if document["metadata"].get("labels", {}).get("grafana_dashboard")]
        ours = (tools.SOURCE / "deploy" / "grafana" / "sida.json").read_text()
        if [list(document["data"].values()) for document in dashboards] != [[ours]]:
            yield "the dashboard is not there"


def scaled_by_what_is_there(documents):
    """A pool that scales exists, keeps two workers, and follows a metric that routers serve, summed over them."""
    known = set(re.findall(r"`(sida_[a-z_]+)[`{]", (tools.SOURCE / "docs" / "metrics.md").read_text()))
    for scale in of_kind(documents, "ScaledObject"):
        target = scale["spec"]["scaleTargetRef"]
        if not named(documents, target["kind"], target["name"]):
            yield f"{title(scale)} scales {target['name']}, which is not there"
        if not 2 <= scale["spec"]["minReplicaCount"] <= scale["spec"]["maxReplicaCount"]:
            yield f"{title(scale)} may leave one worker"
        for trigger in scale["spec"]["triggers"]:
            query = trigger["metadata"]["query"]
            if not set(re.findall(r"sida_[a-z_]+", query)) <= known or not query.startswith("sum("):
                yield f"{title(scale)}: {query} is no sum of what routers serve"
            if trigger["metricType"] != "AverageValue" or trigger["metadata"]["threshold"] != "1":
                yield f"{title(scale)}: the metric counts workers, one each"


RULES = (kept_apart, never_the_last, only_the_links, routers_know_everybody, services_reach_pods, listens_where_told, links_are_encrypted,
         no_secrets_inside, watched, scaled_by_what_is_there)
