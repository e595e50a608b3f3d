"""Alertmanager's routes as the operator's AlertmanagerConfig, with all three receivers."""

from __future__ import annotations

import re
from typing import Any

from clarity_otel.stack import alertmanager

from .network import labels_of
from .programs import NAMESPACE

Object = dict[str, Any]

SECRET = "alertmanager"
_NAME = "clarity"
# The operator brings no templates of ours along: the texts stand in the receivers.
_TITLE = "{{ .Status }}: {{ .CommonLabels.alertname }} {{ .CommonLabels.service }}"
_TEXT = "{{ range .Alerts }}{{ .Annotations.summary }} {{ .Annotations.runbook_url }}\n{{ end }}"
_RECEIVERS: dict[str, Object] = {
    "slack": {"channel": "#alerts", "title": _TITLE, "text": _TEXT, "sendResolved": True},
    "pagerduty": {
        "description": _TITLE,
        "severity": "{{ .CommonLabels.severity }}",
        "sendResolved": True,
    },
    "email": {
        "to": "on-call@example.com",
        "from": "alerts@example.com",
        "smarthost": "smtp.example.com:587",
        "authUsername": "alerts@example.com",
        "requireTLS": True,
        "text": _TEXT,
        "sendResolved": True,
    },
}
# receiver -> (its field, key of the Secret)
SECRET_KEYS = {
    "slack": ("apiURL", "slack-webhook-url"),
    "pagerduty": ("routingKey", "pagerduty-integration-key"),
    "email": ("authPassword", "smtp-password"),
}
_CAMEL = {"slack": "slackConfigs", "pagerduty": "pagerdutyConfigs", "email": "emailConfigs"}
_MATCHER = re.compile(r"(\w+) (=~|!~|!=|=) (.*)")


def receivers() -> Object:
    """The AlertmanagerConfig: the routes, waits and inhibitions of alertmanager.yml."""
    all_of_them = alertmanager.Receivers(configs={name: {} for name in _RECEIVERS})
    found = alertmanager.config(all_of_them)
    return {
        "apiVersion": "monitoring.coreos.com/v1alpha1",
        "kind": "AlertmanagerConfig",
        "metadata": {"name": _NAME, "namespace": NAMESPACE, "labels": labels_of(_NAME)},
        "spec": {
            "route": _route(found["route"]),
            "inhibitRules": [
                {
                    "sourceMatch": _matchers(rule["source_matchers"]),
                    "targetMatch": _matchers(rule["target_matchers"]),
                    **({"equal": rule["equal"]} if "equal" in rule else {}),
                }
                for rule in found["inhibit_rules"]
            ],
            "muteTimeIntervals": [
                {"name": one["name"], "timeIntervals": _intervals(one["time_intervals"])}
                for one in found["time_intervals"]
            ],
            "receivers": [_receiver(one) for one in found["receivers"]],
        },
    }


def _route(route: Object) -> Object:
    spelled = {
        "group_by": "groupBy",
        "group_wait": "groupWait",
        "group_interval": "groupInterval",
        "repeat_interval": "repeatInterval",
        "mute_time_intervals": "muteTimeIntervals",
    }
    found: Object = {}
    for key, value in route.items():
        if key == "routes":
            found[key] = [_route(one) for one in value]
        elif key == "matchers":
            found[key] = _matchers(value)
        else:
            found[spelled.get(key, key)] = value
    return found


def _matchers(texts: list[str]) -> list[Object]:
    found = []
    for text in texts:
        parts = _MATCHER.fullmatch(text)
        if parts is None:
            raise ValueError(f"the matcher {text!r} is not: label operator value")
        name, kind, value = parts.groups()
        found.append({"name": name, "matchType": kind, "value": value})
    return found


def _intervals(intervals: list[Object]) -> list[Object]:
    return [
        {
            **one,
            **(
                {
                    "times": [
                        {"startTime": each["start_time"], "endTime": each["end_time"]}
                        for each in one["times"]
                    ]
                }
                if "times" in one
                else {}
            ),
        }
        for one in intervals
    ]


def _receiver(receiver: Object) -> Object:
    found: Object = {"name": receiver["name"]}
    for name, (field, key) in SECRET_KEYS.items():
        if f"{name}_configs" in receiver:
            secret = {field: {"name": SECRET, "key": key}}
            found[_CAMEL[name]] = [{**_RECEIVERS[name], **secret}]
    return found
