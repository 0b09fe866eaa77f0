use super::{Answer, Call, Case, Given, Recipe};

pub(crate) const RECIPES: [Recipe; 14] = [
    Recipe {
        title: "Tools that only read",
        text: "What a person confirmed in the catalog counts, not what a server says of itself.",
        policy: r#"
@id("read-only-tools")
permit (principal, action == Action::"call_tool", resource)
when { resource.read_only };
"#,
        cases: &[
            Case {
                call: Call::Tool("list_orders", r#"{"customer_id": "C-1001"}"#),
                given: &[],
                answer: Answer::Permitted(&["read-only-tools"]),
            },
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 100}"#),
                given: &[],
                answer: Answer::Denied(&[]),
            },
        ],
    },
    Recipe {
        title: "An amount above which a person decides",
        text: "`unless` and not `when … > 10000`: a call without an amount is stopped too.",
        policy: r#"
@id("refunds")
permit (principal, action == Action::"call_tool", resource == Resource::"refund_order");

@id("large-refunds-need-a-person")
@approver("finance@example.com")
forbid (principal, action, resource == Resource::"refund_order")
unless { context.arguments has amount && context.arguments.amount <= 10000 };
"#,
        cases: &[
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 10000}"#),
                given: &[],
                answer: Answer::Permitted(&["refunds"]),
            },
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 10001}"#),
                given: &[],
                answer: Answer::StepUp(&["large-refunds-need-a-person"]),
            },
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001"}"#),
                given: &[],
                answer: Answer::StepUp(&["large-refunds-need-a-person"]),
            },
        ],
    },
    Recipe {
        title: "Some members of an answer stay behind",
        text: "They are also taken out of the text that repeats them.",
        policy: r#"
@id("customers-without-card-numbers")
@redact("$.structuredContent.card_number, $.structuredContent.tax_id")
permit (principal, action == Action::"call_tool", resource == Resource::"lookup_customer");
"#,
        cases: &[Case {
            call: Call::Tool("lookup_customer", r#"{"customer_id": "C-1001"}"#),
            given: &[],
            answer: Answer::Redacted(
                &["customers-without-card-numbers"],
                &[
                    "$.structuredContent.card_number",
                    "$.structuredContent.tax_id",
                ],
            ),
        }],
    },
    Recipe {
        title: "Who may do what",
        text: "By role; `principal == Agent::\"helpdesk\"` would name one caller.",
        policy: r#"
@id("support-refunds")
permit (principal, action == Action::"call_tool", resource == Resource::"refund_order")
when { principal has role && principal.role == "support" };
"#,
        cases: &[
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 100}"#),
                given: &[Given::Caller("helpdesk")],
                answer: Answer::Permitted(&["support-refunds"]),
            },
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 100}"#),
                given: &[Given::Caller("nightly")],
                answer: Answer::Denied(&[]),
            },
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 100}"#),
                given: &[],
                answer: Answer::Denied(&[]),
            },
        ],
    },
    Recipe {
        title: "Only in one workflow",
        text: "The caller names its workflow; one that names none has `default`.",
        policy: r#"
@id("mail-from-the-newsletter")
permit (principal, action == Action::"call_tool", resource == Resource::"send_mail")
when { context.workflow_id == "newsletter" };
"#,
        cases: &[
            Case {
                call: Call::Tool("send_mail", r#"{"to": "a@example.com", "text": "Hello"}"#),
                given: &[Given::Workflow("newsletter")],
                answer: Answer::Permitted(&["mail-from-the-newsletter"]),
            },
            Case {
                call: Call::Tool("send_mail", r#"{"to": "a@example.com", "text": "Hello"}"#),
                given: &[],
                answer: Answer::Denied(&[]),
            },
        ],
    },
    Recipe {
        title: "Nothing leaves after personal data",
        text: "`pii` has rank 1, so this holds from `pii` upwards. The mark is the principal's: closing the \
               session does not lower it.",
        policy: r#"
@id("nothing-leaves-after-personal-data")
@reason("the session has seen personal data")
forbid (principal, action, resource)
when { context.sensitivity_level >= 1 && resource.compliance_domain == "external" };
"#,
        cases: &[
            Case {
                call: Call::Tool("search_web", r#"{"query": "desk lamps"}"#),
                given: &[],
                answer: Answer::Permitted(&["everything"]),
            },
            Case {
                call: Call::Tool("search_web", r#"{"query": "desk lamps"}"#),
                given: &[Given::Seen("pii")],
                answer: Answer::Denied(&["nothing-leaves-after-personal-data"]),
            },
            Case {
                call: Call::Tool("lookup_customer", r#"{"customer_id": "C-1001"}"#),
                given: &[Given::Seen("pii")],
                answer: Answer::Permitted(&["everything"]),
            },
        ],
    },
    Recipe {
        title: "Only reading after the marks of an injection",
        text: "Detectors label and do not block. This is the rule that makes a label count: once a response \
               looked like instructions to the agent, the agent changes nothing any more in this session.",
        policy: r#"
@id("no-writing-after-an-injection")
@approver("security@example.com")
forbid (principal, action, resource)
when { context.injection_events > 0 && !resource.read_only };
"#,
        cases: &[
            Case {
                call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 100}"#),
                given: &[Given::Injected],
                answer: Answer::StepUp(&["no-writing-after-an-injection"]),
            },
            Case {
                call: Call::Tool("list_orders", r#"{"customer_id": "C-1001"}"#),
                given: &[Given::Injected],
                answer: Answer::Permitted(&["everything"]),
            },
        ],
    },
    Recipe {
        title: "Answers that are too large, or carry credentials",
        text: "Judged when the response is there. The tool has run by then: this keeps its answer from the \
               agent, not its effect from the world.",
        policy: r#"
@id("no-bulk")
forbid (principal, action, resource)
when { context.egress && context.response_size_bytes > 262144 };

@id("no-credentials")
forbid (principal, action, resource)
when { context.labels.contains("secret") };
"#,
        cases: &[
            Case {
                call: Call::Tool("list_orders", r#"{"customer_id": "C-1001"}"#),
                given: &[Given::Response(262_144, &[])],
                answer: Answer::Permitted(&["everything"]),
            },
            Case {
                call: Call::Tool("list_orders", r#"{"customer_id": "C-1001"}"#),
                given: &[Given::Response(262_145, &[])],
                answer: Answer::Denied(&["no-bulk"]),
            },
            Case {
                call: Call::Tool("search_web", r#"{"query": "desk lamps"}"#),
                given: &[Given::Response(900, &["secret"])],
                answer: Answer::Denied(&["no-credentials"]),
            },
        ],
    },
    Recipe {
        title: "Not that server",
        text: "By the server's name in the catalog, whatever tools it offers.",
        policy: r#"
@id("no-web")
forbid (principal, action, resource)
when { resource.server == "web" };
"#,
        cases: &[
            Case {
                call: Call::Tool("search_web", r#"{"query": "desk lamps"}"#),
                given: &[],
                answer: Answer::Denied(&["no-web"]),
            },
            Case {
                call: Call::Tool("send_mail", r#"{"to": "a@example.com", "text": "Hello"}"#),
                given: &[],
                answer: Answer::Permitted(&["everything"]),
            },
        ],
    },
    Recipe {
        title: "A class of data of your own",
        text: "A label of the configuration's `sensitivity.vocabulary`: catalog entries may bear it, and callers \
               may declare it (`_cmcp.data_class`, which only raises). A rule about a rank would catch all of \
               that rank; this one asks for the label.",
        policy: r#"
@id("contracts-stay-inside")
forbid (principal, action, resource)
when {
  context.session_sensitivities.contains("contract") &&
  resource.compliance_domain == "external"
};
"#,
        cases: &[
            Case {
                call: Call::Tool("send_mail", r#"{"to": "a@example.com", "text": "Hello"}"#),
                given: &[Given::Seen("contract")],
                answer: Answer::Denied(&["contracts-stay-inside"]),
            },
            Case {
                call: Call::Tool("send_mail", r#"{"to": "a@example.com", "text": "Hello"}"#),
                given: &[Given::Seen("confidential")],
                answer: Answer::Permitted(&["everything"]),
            },
            Case {
                call: Call::Tool("list_orders", r#"{"customer_id": "C-1001"}"#),
                given: &[Given::Seen("contract")],
                answer: Answer::Permitted(&["everything"]),
            },
        ],
    },
    Recipe {
        title: "Documents to read",
        text: "Listing is asked about the server, reading and subscribing about the resource. What may not be \
               read is not listed either. A server is `internal` here when everything approved of it is.",
        policy: r#"
@id("internal-documents")
permit (
  principal,
  action in [Action::"list_resources", Action::"read_resource", Action::"subscribe"],
  resource
)
when { resource.compliance_domain == "internal" };
"#,
        cases: &[
            Case {
                call: Call::List("shop"),
                given: &[],
                answer: Answer::Permitted(&["internal-documents"]),
            },
            Case {
                call: Call::Read("handbook://travel"),
                given: &[],
                answer: Answer::Permitted(&["internal-documents"]),
            },
            Case {
                call: Call::Read("news://today"),
                given: &[],
                answer: Answer::Denied(&[]),
            },
            Case {
                call: Call::Tool("list_orders", r#"{"customer_id": "C-1001"}"#),
                given: &[],
                answer: Answer::Denied(&[]),
            },
        ],
    },
    Recipe {
        title: "The URIs of a template",
        text: "`in` the template covers all of them, `==` is one. A text would do as well: \
               `resource.tool_name like \"orders://O-5*\"`.",
        policy: r#"
@id("invoices-for-support")
permit (
  principal,
  action == Action::"read_resource",
  resource in McpResource::"orders://{id}/invoice"
)
when { principal has role && principal.role == "support" };

@id("a-sealed-invoice")
forbid (principal, action, resource == McpResource::"orders://O-5003/invoice");
"#,
        cases: &[
            Case {
                call: Call::Read("orders://O-5001/invoice"),
                given: &[Given::Caller("helpdesk")],
                answer: Answer::Permitted(&["invoices-for-support"]),
            },
            Case {
                call: Call::Read("orders://O-5003/invoice"),
                given: &[Given::Caller("helpdesk")],
                answer: Answer::Denied(&["a-sealed-invoice"]),
            },
            Case {
                call: Call::Read("orders://O-5001/invoice"),
                given: &[Given::Caller("nightly")],
                answer: Answer::Denied(&[]),
            },
        ],
    },
    Recipe {
        title: "Prompts, by what is filled in",
        text: "The arguments of a prompt are texts. `complete` is asked with `argument` and `value`: what is \
               being filled in, and what of it was typed.",
        policy: r#"
@id("replies")
permit (
  principal,
  action in [Action::"get_prompt", Action::"complete"],
  resource == Prompt::"draft_reply"
);

@id("no-legal-advice")
forbid (principal, action == Action::"get_prompt", resource == Prompt::"draft_reply")
when { context.arguments has tone && context.arguments.tone == "legal" };
"#,
        cases: &[
            Case {
                call: Call::Prompt("draft_reply", r#"{"customer": "C-1001"}"#),
                given: &[],
                answer: Answer::Permitted(&["replies"]),
            },
            Case {
                call: Call::Prompt("draft_reply", r#"{"customer": "C-1001", "tone": "legal"}"#),
                given: &[],
                answer: Answer::Denied(&["no-legal-advice"]),
            },
            Case {
                call: Call::Complete("draft_reply", r#"{"argument": "tone", "value": "fr"}"#),
                given: &[],
                answer: Answer::Permitted(&["replies"]),
            },
        ],
    },
    Recipe {
        title: "A server that asks a person",
        text: "Nothing that a server asks of a client is permitted unless a policy names it in its scope: a \
               permit for any action does not cover `sample`, `elicit` and `list_roots`. A forbid does.",
        policy: r#"
@id("refunds-may-ask-back")
permit (principal, action == Action::"elicit", resource == Server::"shop")
when { context.elicit_mode == "form" && context.asked_by == "refund_order" };

@id("no-questions-after-an-injection")
forbid (principal, action, resource is Server)
when { context.injection_events > 0 };

@id("everything-else")
permit (principal, action, resource);
"#,
        cases: &[
            Case {
                call: Call::Elicit("shop", "refund_order", "form"),
                given: &[],
                answer: Answer::Permitted(&["refunds-may-ask-back"]),
            },
            Case {
                call: Call::Elicit("shop", "refund_order", "url"),
                given: &[],
                answer: Answer::Denied(&[]),
            },
            Case {
                call: Call::Elicit("mail", "send_mail", "form"),
                given: &[],
                answer: Answer::Denied(&[]),
            },
            Case {
                call: Call::Elicit("shop", "refund_order", "form"),
                given: &[Given::Injected],
                answer: Answer::Denied(&["no-questions-after-an-injection"]),
            },
        ],
    },
];
