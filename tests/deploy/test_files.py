"""What can be seen from the files and the tools that read them."""

import json
import re
import sys
import urllib.request

import kubernetes_validate
import pytest
import yaml

from conftest import DEPLOY, PROGRAM, REPO, run


def test_the_unit_is_understood_and_exposes_little(tmp_path):
    unit = (DEPLOY / "calferry.service").read_text().replace("/usr/bin/calferry", PROGRAM)
    for name, text in [("calferry.service", unit), ("calferry.socket", (DEPLOY / "calferry.socket").read_text())]:
        (tmp_path / name).write_text(text)
        seen = run("systemd-analyze", "verify", "--man=no", tmp_path / name)
        ours = [line for line in seen.stderr.splitlines() if "calferry" in line]
        assert seen.returncode == 0 and not ours, ours
    judged = run("systemd-analyze", "security", "--offline=true", "--threshold=12", tmp_path / "calferry.service")
    assert judged.returncode == 0, judged.stdout[-200:]
    assert "FileDescriptorName=public" in (DEPLOY / "calferry.socket").read_text()
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", DEPLOY / "calferry.sysusers")
    assert made.returncode == 0 and "\ncalferry:" in "\n" + (tmp_path / "etc/passwd").read_text(), made.stderr


def test_the_units_watchdog_and_secrets_are_what_the_program_understands():
    unit = (DEPLOY / "calferry.service").read_text()
    for line in ["Type=notify", "WatchdogSec=30s", "StateDirectory=calferry", "ExecReload=/bin/sh -c 'kill -HUP $$MAINPID'",
                 "User=calferry", "#LoadCredential=family:/etc/calferry/secrets/family"]:
        assert f"\n{line}\n" in unit, line


def test_the_cluster_accepts_the_manifest_and_holds_the_pod_tight():
    parts = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    for part in parts:
        kubernetes_validate.validate(part, "1.34", strict=True)
    kinds = {part["kind"]: part for part in parts}
    assert set(kinds) == {"Secret", "PersistentVolumeClaim", "Deployment", "Service", "NetworkPolicy"}
    spec = kinds["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert {container[probe]["httpGet"]["path"] for probe in ["readinessProbe", "startupProbe"]} == {"/readyz"}
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_image_is_made_of_named_versions_and_runs_as_nobody():
    text = (DEPLOY / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.M)
    assert stages == ["rust:1.95.0-bookworm", "gcr.io/distroless/cc-debian12:nonroot"]
    last = text[text.rindex("FROM "):]
    for line in ["USER 65532:65532", 'VOLUME ["/var/lib/calferry"]', "ENV STATE_DIRECTORY=/var/lib/calferry"]:
        assert f"\n{line}\n" in last, line
    assert "RUN" not in last and "--locked" in text
    assert re.search(r'HEALTHCHECK .*\\\n +CMD \["/usr/bin/calferry", "health",', last)
    ignored = (REPO / ".dockerignore").read_text().splitlines()
    assert "*" in ignored and {"!src", "!Cargo.lock", "!deploy/cloudflare-ips.txt"} <= set(ignored)
    for name in [line[1:] for line in ignored if line.startswith("!")]:
        assert (REPO / name).exists(), name


def test_every_composed_service_is_of_a_named_version_and_held_tight():
    seen = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in composed["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == "65532:65532", name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\S+:[0-9.]+", service["image"]), name
    assert composed["services"]["cloudflared"]["profiles"] == ["tunnel"]
    assert "profiles" not in composed["services"]["calferry"]
    assert all(port.startswith("127.0.0.1:") for port in composed["services"]["calferry"]["ports"])


def settings_within():
    """By place: what kubernetes.yaml holds, and each proxy that the comments of compose.yaml name, with a feed."""
    secret = next(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    yield "kubernetes", secret["stringData"]["calferry.toml"]
    said = (DEPLOY / "compose.yaml").read_text()
    (public,), (listen,), proxies = (re.findall(f"`({key} = .*?)`", said) for key in ["public_url", "listen", "trusted_proxies"])
    feed = '[source.a]\nurl = "https://calendar.example.com/x.ics"\n[feed.a]\nsources = ["a"]\n'
    for number, proxy in enumerate(proxies):
        yield f"compose-{number}", f"{public}\n[server]\n{listen}\n{proxy}\n{feed}"


@pytest.mark.parametrize("settings", [pytest.param(text, id=place) for place, text in settings_within()])
def test_the_settings_for_containers_are_without_a_problem(settings, tmp_path):
    file = tmp_path / "calferry.toml"
    file.write_text(settings)
    file.chmod(0o600)
    seen = run(PROGRAM, "check", "--config", file)
    assert seen.returncode == 0 and "warning" not in (seen.stdout + seen.stderr).lower(), seen.stdout + seen.stderr


def test_alarms_go_off_when_they_should_and_not_otherwise():
    seen = run("promtool", "test", "rules", DEPLOY / "prometheus-alerts.test.yml")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]
    tried = yaml.safe_load((DEPLOY / "prometheus-alerts.test.yml").read_text())["tests"]
    for test in tried:
        assert {rule["alert"] for rule in rules} == {case["alertname"] for case in test["alert_rule_test"]}


def test_every_query_asks_for_a_metric_and_a_word_that_there_is(calferry, tmp_path):
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    queries = [rule["expr"] for rule in rules]
    queries += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    written = {"groups": [{"name": "all", "rules": [
        {"record": f"q:{number}", "expr": query} for number, query in enumerate(queries)]}]}
    (tmp_path / "all.yml").write_text(yaml.safe_dump(written))
    seen = run("promtool", "check", "rules", tmp_path / "all.yml")
    assert seen.returncode == 0, seen.stderr
    with urllib.request.urlopen(f"http://127.0.0.1:{calferry.admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    metrics = set(re.findall(r"^(calferry_\w+)", text, re.M))
    for query in queries:
        for metric in re.findall(r"calferry_\w+", query):
            assert metric in metrics, f"{metric} in {query}"
        for metric, label, value in re.findall(r'(calferry_\w+)\{(\w+)="(\w+)"\}', query):
            # How fetches ended is counted from the first that ended so.
            by_name = metric == "calferry_fetches_total" and f'=> "{value}"' in (REPO / "src/source/error.rs").read_text()
            assert by_name or f'{metric}{{{label}="{value}"}}' in text, query
        for label in re.findall(r"by \((\w+)\)", query):
            assert f"{{{label}=" in text, query


def test_both_checklists_name_the_same_steps():
    names = ["cloudflare.md", "cloudflare.zh-CN.md"]
    english, chinese = ((DEPLOY / name).read_text() for name in names)
    code = lambda text: re.findall(r"`[^`\n]+`|```.*?```", text, re.S)
    assert code(english) == code(chinese)
    assert english.count("\n## ") == chinese.count("\n## ")
    for step in ["Full (strict)", "Bot Fight Mode", "Browser Integrity Check", "Authenticated Origin Pulls", "Tunnel",
                 "Cache Everything"]:
        assert english.count(step) == chinese.count(step) > 0, step
