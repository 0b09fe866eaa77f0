//! Policies that are refused when they are loaded, with what is said of them.

use std::fmt::Write;

/// A policy that is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    /// Its condition, or all of it.
    pub(crate) written: &'static str,
    /// Why, and what to do.
    pub(crate) said: &'static str,
}

/// One example of each kind.
pub(crate) const REFUSED: [Refused; 11] = [
    Refused {
        written: "resource == Resource::\"refund_ordr\"",
        said: "there is no tool `refund_ordr` in the catalog: did you mean `refund_order`?",
    },
    Refused {
        written: "action == Action::\"RefundOrder\"",
        said: "there is no `Action::\"RefundOrder\"`: did you mean `refund_order`?",
    },
    Refused {
        written: "resource == McpResource::\"handbook://travels\"",
        said: "there is no resource `handbook://travels` in the catalog: did you mean `handbook://travel`?",
    },
    Refused {
        written: "principal == User::\"helpdesk\"",
        said: "there is no entity type `User`: principals are `Agent`, tools `Resource`, actions `Action`",
    },
    Refused {
        written: "context.session.max_sensitivity == \"pii\"",
        said: "there is no `context.session`: did you mean `context.session_max_sensitivity`?",
    },
    Refused {
        written: "context.arguments has amout",
        said: "there is no `context.arguments.amout`: did you mean `amount`?",
    },
    Refused {
        written: "context.arguments.amount > 1000",
        said: "parameters may be absent: write `context.arguments has x && context.arguments.x …`",
    },
    Refused {
        written: "resource.tool_name in [\"list_orders\", \"send_mail\"]",
        said: "`in` is for entities: write `[\"a\", \"b\"].contains(resource.tool_name)`",
    },
    Refused {
        written: "context.session_max_sensitivity == \"hippa_phi\"",
        said: "`context.session_max_sensitivity` is never `hippa_phi`: did you mean `hipaa_phi`?",
    },
    Refused {
        written: "resource == Resource::\"send_mail\" && context.arguments has attachment",
        said: "parameter `context.arguments.attachment` of tool `send_mail` is invisible to policy: its schema does not declare the object's members; approve a definition that types it, or keep this policy away from that tool (`resource == …`)",
    },
    Refused {
        written: "resource.server == \"shop\" && resource is Agent",
        said: "it can never apply to any call: remove it, or correct its conditions",
    },
];

pub(crate) fn table() -> String {
    let mut table = "| a condition | what is said of it |\n|---|---|\n".to_owned();
    for Refused { written, said } in REFUSED {
        let _infallible = writeln!(table, "| `{written}` | {said} |");
    }
    table
}
