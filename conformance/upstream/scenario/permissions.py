"""A permission is missing."""

import json
import os
import pathlib

from scenario.checks import need, until
from scenario.cluster import (
    CLASS,
    Backend,
    accepted,
    apply,
    gateway_address,
    kubectl,
    shop,
)
from scenario.gatepost import Gatepost
from scenario.traffic import answers


def permissions(options):
    """An account that may not list Secrets: a line with verb and resource, readiness false, until it may."""
    manifest = pathlib.Path(__file__).resolve().parents[3] / "deploy" / "kubernetes" / "gatepost.yaml"
    kubectl("apply", "-f", str(manifest))
    token = kubectl("create", "token", "gatepost", "-n", "gatepost-system").strip()
    text = pathlib.Path(os.environ["KUBECONFIG"]).read_text()
    lines = [f"    token: {token}" if "token:" in line else line for line in text.splitlines()]
    config = options.output / "kubeconfig-account"
    config.write_text("\n".join(lines).replace("user: admin}", "user: admin, namespace: gatepost-system}") + "\n")
    role = json.loads(kubectl("get", "clusterrole", "gatepost", "-o", "json"))
    rules = role["rules"]
    without = [dict(rule, resources=[name for name in rule["resources"] if name != "secrets"]) for rule in rules]
    kubectl("patch", "clusterrole", "gatepost", "--type", "merge", "-p", json.dumps({"rules": without}))
    backend = Backend("app")
    with Gatepost(options, config=config) as gatepost:

        def refused():
            status, text = gatepost.tell("/readyz")
            return status == 503 and "permission to list secrets is missing" in text and text

        _, line = until("readiness names the permission", refused)
        apply(*shop("account"), backend.slice("account", "app", "http"))
        address = gateway_address("account", "gw")
        until("what can be read is served", answers(address, "r0.test", "app"))
        kubectl("patch", "clusterrole", "gatepost", "--type", "merge", "-p", json.dumps({"rules": rules}))
        until("ready once it may", lambda: gatepost.tell("/readyz")[0] == 200)
        until("the route is accepted", accepted("account", "r0"))
        accounts = json.loads(kubectl("get", "serviceaccount", "-n", "account", "-o", "json"))["items"]
        need([one["metadata"]["name"] for one in accounts] == [f"gw-{CLASS}"], "the Gateway has a ServiceAccount")
        log = gatepost.log.read_text()
        need(log.count("permission to list secrets") <= 2, "the line is not repeated")
        need("is missing" not in log.replace("permission to list secrets is missing", ""), "nothing else is missing")
    return line.splitlines()[0]
