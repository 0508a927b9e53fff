"""Validates manifests as those read them that they are for, and prints their documents as JSON, one a line.

validate_manifests.py compose FILE...      compose-spec's own reader
validate_manifests.py kubernetes FILE...   the API's schemas, of the oldest and the newest version; unknown fields are errors
validate_manifests.py mesh FILE...         the same, but for kinds that a mesh or an ingress controller adds to the API
"""

import json
import sys

import yaml

VERSIONS = ["1.30.0", "1.37.0"]

ADDED = ("install.istio.io/", "security.istio.io/", "projectcontour.io/", "gateway.networking.k8s.io/")


def check_compose(document):
    from compose_spec import PyCompose

    PyCompose.from_json(json.dumps(document))


def check_kubernetes(document):
    import kubernetes_validate

    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


def check_mesh(document):
    if not document["apiVersion"].startswith(ADDED):
        check_kubernetes(document)


def main():
    check = {"compose": check_compose, "kubernetes": check_kubernetes, "mesh": check_mesh}[sys.argv[1]]
    for path in sys.argv[2:]:
        with open(path) as file:
            documents = [document for document in yaml.safe_load_all(file) if document is not None]
        assert documents, f"{path} is empty"
        for document in documents:
            check(document)
            print(json.dumps(document))


main()
