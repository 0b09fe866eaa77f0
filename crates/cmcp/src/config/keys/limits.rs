//! Limits on calls.

use crate::config::{
    key::{Default, Key, Kind, Origin},
    shape::{Need, Part, Shape},
};

const fn part(name: &'static str, shape: Shape) -> Part {
    Part {
        name,
        need: Need::Optional,
        shape,
    }
}

const OF_PRINCIPAL: Shape = Shape::Members(&[
    part("rate", Shape::Rate),
    part("burst", Shape::Integer(1, 1_000_000)),
    part("calls_per_day", Shape::Integer(1, MANY)),
    part("calls_per_session", Shape::Integer(1, MANY)),
    part("concurrent", Shape::Integer(1, MANY)),
]);

const OF_TOOL: Shape = Shape::Members(&[
    part("rate", Shape::Rate),
    part("burst", Shape::Integer(1, 1_000_000)),
    part("calls_per_day", Shape::Integer(1, MANY)),
    part("concurrent", Shape::Integer(1, MANY)),
]);

pub(crate) const LIMITS_DEFAULT: Key = Key {
    path: "limits.default",
    kind: Kind::Shaped(OF_PRINCIPAL),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "What each principal's calls are held to; nothing where nothing is said. `rate` is so many in a time (`10/s`, `600/min`, `5000/h`, `20000/day`), of which `burst` may come at once when none came for long (as many as `rate` names, unless set). `calls_per_day` counts from the first call on, for 24 hours; a restart forgets it. `calls_per_session` ends with the session, `concurrent` counts calls that are being served. A call beyond them is refused with `RATE_LIMITED` or `BUDGET_EXHAUSTED`, recorded as such, costs nothing, and is told when to come back.",
};

pub(crate) const LIMITS_PRINCIPALS: Key = Key {
    path: "limits.principals",
    kind: Kind::Shaped(Shape::Map(&OF_PRINCIPAL)),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Principal → what its calls are held to, in place of `limits.default`; `{}` holds them to nothing. An issuer's principals are named as policy names them, with the issuer's prefix; callers without a name of their own are `anonymous`.",
};

pub(crate) const LIMITS_TOOLS: Key = Key {
    path: "limits.tools",
    kind: Kind::Shaped(Shape::Map(&OF_TOOL)),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Tool → what each principal's calls of it are held to, beside what the principal is held to. Tools are named as callers name them.",
};

pub(crate) const LIMITS_IN_FLIGHT: Key = Key {
    path: "limits.calls_in_flight",
    kind: Kind::Integer(1, 1_000_000),
    default: Default::Integer(4_096),
    origin: Origin::Ours,
    doc: "Calls of all principals that are served at once; one principal has at most half of them. Further ones wait, and places that become free go round among the principals that wait.",
};

pub(crate) const LIMITS_WAITING: Key = Key {
    path: "limits.calls_waiting",
    kind: Kind::Integer(0, 1_000_000),
    default: Default::Integer(4_096),
    origin: Origin::Ours,
    doc: "Calls that may wait for a place; one principal has at most half of them. A call beyond them is refused with `GATEWAY_BUSY`.",
};

pub(crate) const LIMITS_BYTES: Key = Key {
    path: "limits.request_bytes",
    kind: Kind::Integer(8_388_608, 1_099_511_627_776),
    default: Default::Integer(268_435_456),
    origin: Origin::Ours,
    doc: "Bytes of requests that are held at once, those that wait among them; one principal has at most half of them. A request beyond them is refused with HTTP status 503.",
};

const MANY: i64 = 1_000_000_000_000;
