"""Bundles of a given number of rules, for our gateway and for the Python cMCP."""

# With the starter rule, twelve: each is considered for every call.
GENERAL = [
    'permit (principal, action == Action::"call_tool", resource == Resource::"note")',
    'forbid (principal, action == Action::"call_tool", resource) when { context.sensitivity_level >= 3 }',
    'forbid (principal, action == Action::"call_tool", resource) when { context.injection_events > 2 }',
    'forbid (principal, action == Action::"call_tool", resource) when { resource.compliance_domain == "mnpi" }',
    'forbid (principal, action == Action::"call_tool", resource) when { resource.sensitivity == "trade_secret" }',
    'forbid (principal, action == Action::"call_tool", resource) when { context.workflow_id == "frozen" }',
    'forbid (principal, action == Action::"call_tool", resource) when { context.labels.contains("credential") }',
    'forbid (principal, action == Action::"call_tool", resource) when { context.response_size_bytes > 1000000 }',
    'forbid (principal == Agent::"retired", action == Action::"call_tool", resource)',
    'forbid (principal, action == Action::"call_tool", resource == Resource::"echo") when { context.arguments has message && context.arguments.message like "*BEGIN PRIVATE KEY*" }',
    'forbid (principal, action == Action::"call_tool", resource) when { context.session_sensitivities.contains("hipaa_phi") && !context.baa_covered }',
]


def rules(count, tools=()):
    """`count` rules, the starter's one counted in; those beyond twelve belong to `tools` in turn,
    or, without tools, are considered for every call too."""
    lines = list(GENERAL)
    for number in range(count - len(GENERAL) - 1):
        resource = f'resource == Resource::"{tools[number % len(tools)]}"' if tools else "resource"
        lines.append(
            f'forbid (principal, action == Action::"call_tool", {resource})'
            f" when {{ context.injection_events > {1000 + number} }}"
        )
    return "".join(f'@id("rule-{number}")\n{rule};\n' for number, rule in enumerate(lines))


def python_rules(count):
    """As many for the Python cMCP, whose actions and context are others."""
    lines = ["permit (principal, action, resource)"]
    for number in range(count - 1):
        lines.append(
            "forbid (principal, action, resource)"
            f' when {{ context has workflow_id && context.workflow_id == "frozen-{number}" }}'
        )
    return "".join(f"{rule};\n" for rule in lines)
