//! Labels, paths and names: values that need a look beyond their kind.

use std::{collections::BTreeMap, net::Ipv4Addr};

use cmcp_gateway::{Hosts, SinkPolicy, oauth::Url};
use cmcp_policy::sensitivity::Vocabulary;

use super::Builder;
use crate::config::{
    fault::{Fault, Problem},
    key::Key,
    keys,
    values::{Item, Value},
};

impl Builder<'_> {
    pub(super) fn vocabulary(&mut self) -> Vocabulary {
        let ranks = match self.values.value(&keys::VOCABULARY) {
            Some(Value::Ranks(ranks)) => ranks,
            _ => BTreeMap::new(),
        };
        let flags = match self.values.value(&keys::COMPLIANCE_DOMAINS) {
            Some(Value::Flags(flags)) => flags,
            _ => BTreeMap::new(),
        };
        let ranks = ranks
            .into_iter()
            .filter_map(|(name, rank)| Some((name, rank.try_into().ok()?)));
        Vocabulary::extended(ranks, flags).unwrap_or_else(|errors| {
            let at = self.values.set(&keys::VOCABULARY).map_or_else(
                || self.values.position(&keys::COMPLIANCE_DOMAINS),
                |set| set.at,
            );
            for error in errors {
                self.problems
                    .push(Problem::at(self.file, at, Fault::Vocabulary(error)));
            }
            Vocabulary::builtin()
        })
    }

    pub(super) fn sink_policy(&mut self, vocabulary: &Vocabulary) -> Option<SinkPolicy> {
        let tools = match self.values.value(&keys::SINK_TOOLS) {
            Some(Value::Texts(tools)) => Some(tools),
            _ => None,
        };
        let response = self.values.text(&keys::SINK_RESPONSES);
        let (tools, response) = match (tools, response) {
            (None, None) => return None,
            (Some(tools), Some(response)) => (tools, response),
            (Some(_), None) | (None, Some(_)) => {
                let set = self
                    .values
                    .set(&keys::SINK_TOOLS)
                    .or_else(|| self.values.set(&keys::SINK_RESPONSES));
                if let Some(set) = set {
                    self.problems
                        .push(Problem::at(self.file, set.at, Fault::SinkPair));
                }
                return None;
            }
        };
        let known: Vec<String> = vocabulary
            .labels()
            .map(|(label, _)| format!("`{label}`"))
            .collect();
        let response_item = Item {
            at: self.values.position(&keys::SINK_RESPONSES),
            text: response.clone(),
        };
        let labels = tools
            .values()
            .map(|item| (&keys::SINK_TOOLS, item))
            .chain([(&keys::SINK_RESPONSES, &response_item)]);
        for (key, Item { at, text }) in labels {
            if vocabulary.sensitivity(text).is_none() {
                let (key, label) = (key.path.to_owned(), text.clone());
                let fault = Fault::UnknownLabel {
                    key,
                    label,
                    known: known.join(", "),
                };
                self.problems.push(Problem::at(self.file, *at, fault));
            }
        }
        let response_max = tools
            .keys()
            .map(|tool| (tool.clone(), response.clone()))
            .collect();
        let tool_max = tools
            .into_iter()
            .map(|(tool, item)| (tool, item.text))
            .collect();
        Some(SinkPolicy {
            tool_max,
            response_max,
        })
    }

    pub(super) fn hosts(&mut self, own: Option<&Url>) -> Hosts {
        let mut hosts = self.parsed(
            &keys::ALLOWED_HOSTS,
            "a host name, with or without a port",
            |text| is_host(text).then(|| text.to_ascii_lowercase()),
        );
        let origins = self.parsed(
            &keys::ALLOWED_ORIGINS,
            "a whole origin, as `https://app.example`",
            |text| is_origin(text).then(|| text.to_ascii_lowercase()),
        );
        // Whoever names us as configuration does means us.
        if let Some((_, host)) = own
            .map(Url::origin)
            .as_deref()
            .and_then(|origin| origin.split_once("://"))
        {
            hosts.push(host.to_owned());
        }
        Hosts { hosts, origins }
    }

    pub(super) fn private_hosts(&mut self) -> Vec<String> {
        self.parsed(
            &keys::ALLOW_PRIVATE_HOSTS,
            "a host name without a port",
            host_name,
        )
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &Key,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for Item { at, text } in self.values.list(key) {
            match read(&text) {
                Some(value) => parsed.push(value),
                None => {
                    let found = format!("`{text}`");
                    let (key, expected) = (key.path.to_owned(), expected.to_owned());
                    let fault = Fault::Value {
                        key,
                        found,
                        expected,
                    };
                    self.problems.push(Problem::at(self.file, at, fault));
                }
            }
        }
        parsed
    }

    pub(super) fn trust_domain(&mut self) -> String {
        let text = self.values.text(&keys::TRUST_DOMAIN).unwrap_or_default();
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > 255 || !text.bytes().all(allowed) {
            let expected = "a trust domain: lower-case letters, digits, `.`, `-` and `_`";
            self.mistaken(&keys::TRUST_DOMAIN, &text, expected);
        }
        text
    }

    pub(super) fn mistaken(&mut self, key: &Key, found: &str, expected: &str) {
        let fault = Fault::Value {
            key: key.path.to_owned(),
            found: format!("`{found}`"),
            expected: expected.to_owned(),
        };
        self.problems
            .push(Problem::at(self.file, self.values.position(key), fault));
    }
}

fn is_host(text: &str) -> bool {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        Some(_) | None => text,
    };
    let name = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte))
}

/// A name that has to be resolved, in lower case: an address says itself where it leads, and needs
/// no leave.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let is_name = is_host(text) && !text.contains([':', '[']) && text.parse::<Ipv4Addr>().is_err();
    is_name.then(|| text.to_ascii_lowercase())
}

fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        let letters = !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        letters && is_host(host)
    })
}
