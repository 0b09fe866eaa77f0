use cmcp_evidence::{
    Timestamp, TimestampError, b64, policy::PolicyFault, wire::container::ContainerError,
};
use cmcp_json::{Object, ParseError, Value};

/// Why a question is not answered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QuestionError {
    /// Not the JSON that is read here.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// A member is not there, or is of another kind.
    #[error("`{member}` must be {expected}")]
    Member {
        /// Which.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A member that is not known.
    #[error("`{member}` is not known here; known are {known}")]
    Unknown {
        /// Which.
        member: String,
        /// Which are known.
        known: String,
    },
    /// A time that is none.
    #[error("`at`: {0}")]
    Time(#[from] TimestampError),
    /// Reference values that decide too little, or contradict themselves.
    #[error("reference values: {}", faults(.0))]
    ReferenceValues(Vec<PolicyFault>),
    /// The evidence is not in a container that is read here.
    #[error("`evidence`: {0}")]
    Container(#[from] ContainerError),
}

fn faults(faults: &[PolicyFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}

/// A question while it is read.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a>(&'a Object);

impl<'a> Question<'a> {
    pub(crate) fn open(document: &'a Value) -> Result<Self, QuestionError> {
        document.as_object().map(Self).ok_or(QuestionError::Member {
            member: "the question",
            expected: "an object",
        })
    }

    /// Refuses members that nobody reads.
    pub(crate) fn only(self, known: &[&str]) -> Result<(), QuestionError> {
        match self.0.keys().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(QuestionError::Unknown {
                member: name.to_owned(),
                known: known.join(", "),
            }),
        }
    }

    pub(crate) fn value(self, member: &'static str) -> Result<&'a Value, QuestionError> {
        self.0.get(member).ok_or(QuestionError::Member {
            member,
            expected: "there",
        })
    }

    pub(crate) fn bytes(self, member: &'static str) -> Result<Vec<u8>, QuestionError> {
        bytes(member, self.value(member)?)
    }

    pub(crate) fn time(self) -> Result<Timestamp, QuestionError> {
        let text = self.value("at")?.as_str().ok_or(QuestionError::Member {
            member: "at",
            expected: "a text",
        })?;
        Ok(Timestamp::parse_rfc3339(text)?)
    }
}

pub(crate) fn bytes(member: &'static str, value: &Value) -> Result<Vec<u8>, QuestionError> {
    let text = value.as_str();
    text.and_then(|text| b64::decode(text).ok())
        .ok_or(QuestionError::Member {
            member,
            expected: "base64url without padding",
        })
}
