use cmcp_evidence::{Binding, Input, ReferenceValues, ReportData, appraise, hex, wire::container};
use cmcp_json::{Object, Value};

use crate::question::{Question, QuestionError, bytes};

/// Judges evidence: the result, as a document.
pub(crate) fn verify(question: Question<'_>) -> Result<Object, QuestionError> {
    question.only(&["evidence", "reference_values", "binding", "at"])?;
    let policy = ReferenceValues::read(question.value("reference_values")?)
        .map_err(QuestionError::ReferenceValues)?;
    let collected = container::read(question.value("evidence")?)?;
    let result = appraise(&Input {
        evidence: &collected.evidence,
        endorsements: &collected.endorsements,
        binding: &binding(question.value("binding")?)?,
        policy: &policy,
        at: question.time()?,
    });
    Ok(result.document())
}

fn binding(value: &Value) -> Result<Binding, QuestionError> {
    const EXPECTED: QuestionError = QuestionError::Member {
        member: "binding",
        expected: "`none`, `{\"challenge\": base64url}` or `{\"report_data\": 128 hexadecimal digits}`",
    };
    if value.as_str() == Some("none") {
        return Ok(Binding::Unknown);
    }
    let mut members = value.as_object().ok_or(EXPECTED)?.iter();
    match (members.next(), members.next()) {
        (Some(("challenge", challenge)), None) => {
            bytes("binding", challenge).map(Binding::Challenge)
        }
        (Some(("report_data", data)), None) => {
            let data = data.as_str().and_then(|text| hex::decode(text).ok());
            let data = data.and_then(|data| <[u8; 64]>::try_from(data).ok());
            data.map(|data| Binding::ReportData(ReportData::from_bytes(data)))
                .ok_or(EXPECTED)
        }
        (_, _) => Err(EXPECTED),
    }
}
