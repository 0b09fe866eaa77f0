use cmcp_json::Value;
use jsonschema::Draft;

use super::SchemaError;

/// The dialect of JSON Schema that a schema is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Draft4,
    Draft6,
    Draft7,
    Draft201909,
    Draft202012,
}

impl Dialect {
    pub(super) fn of(schema: &Value) -> Result<Self, SchemaError> {
        let Some(named) = schema.get("$schema") else {
            return Ok(Self::Draft202012);
        };
        let uri = named.as_str().unwrap_or_default();
        let bare = uri.strip_suffix('#').unwrap_or(uri);
        let bare = bare
            .strip_prefix("https://")
            .or_else(|| bare.strip_prefix("http://"));
        match bare.unwrap_or_default() {
            "json-schema.org/draft-04/schema" => Ok(Self::Draft4),
            "json-schema.org/draft-06/schema" => Ok(Self::Draft6),
            "json-schema.org/draft-07/schema" => Ok(Self::Draft7),
            "json-schema.org/draft/2019-09/schema" => Ok(Self::Draft201909),
            "json-schema.org/draft/2020-12/schema" => Ok(Self::Draft202012),
            _ => Err(SchemaError::Dialect(
                named.to_string().chars().take(128).collect(),
            )),
        }
    }

    pub(super) fn draft(self) -> Draft {
        match self {
            Self::Draft4 => Draft::Draft4,
            Self::Draft6 => Draft::Draft6,
            Self::Draft7 => Draft::Draft7,
            Self::Draft201909 => Draft::Draft201909,
            Self::Draft202012 => Draft::Draft202012,
        }
    }

    /// Whether it knows which members a passing branch has evaluated (`unevaluatedProperties`), and
    /// heeds what stands beside `$ref`.
    pub(super) fn tracks_evaluation(self) -> bool {
        match self {
            Self::Draft201909 | Self::Draft202012 => true,
            Self::Draft4 | Self::Draft6 | Self::Draft7 => false,
        }
    }
}
