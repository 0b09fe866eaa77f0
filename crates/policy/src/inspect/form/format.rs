use cmcp_evidence::Timestamp;

/// What a text has to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    Date,
    DateTime,
    Email,
    Uri,
}

impl Format {
    /// The formats that forms have.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "date" => Some(Self::Date),
            "date-time" => Some(Self::DateTime),
            "email" => Some(Self::Email),
            "uri" => Some(Self::Uri),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Date => "a date",
            Self::DateTime => "a time with a zone",
            Self::Email => "an e-mail address",
            Self::Uri => "a URI",
        }
    }

    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            // Ten characters, so that nothing of a time can hide in it.
            Self::Date => text.len() == 10 && is_time(&format!("{text}T00:00:00Z")),
            Self::DateTime => is_time(&text.to_ascii_uppercase()),
            Self::Email => is_email(text),
            Self::Uri => is_uri(text),
        }
    }
}

fn is_time(text: &str) -> bool {
    Timestamp::parse_rfc3339(text).is_ok()
}

/// A local part and a domain, neither with blanks or anything that would end it in a message's head.
fn is_email(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"@".contains(c))
    };
    text.len() <= 254
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            let labels = domain
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
            plain(local) && plain(domain) && labels
        })
}

/// A scheme and something behind it, without blanks.
fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte))
    })
}
