//! Measurements recomputed from what was built.

use cmcp_evidence::{
    Sha384Digest,
    dcap::{self, Body},
    measure::{
        snp::Launch,
        tdx::{ImageParts, register},
    },
    snp,
};
use cmcp_json::Value;

use super::{
    Result,
    case::Row,
    vectors::{Stated, Vectors},
};

pub(crate) fn judge(vectors: &Vectors, row: &Stated) -> Result<Row> {
    match row.text("id")? {
        "measure-snp-dstack" => launch(vectors, row, &[]),
        "measure-snp-dstack-mutated" => launch(vectors, row, &["cmdline", "vcpus"]),
        "measure-tdx-gcp" => image(vectors, row, Order::AsMeasured),
        "measure-tdx-gcp-swapped" => image(vectors, row, Order::Swapped),
        other => Err(format!("`{other}` is not known").into()),
    }
}

/// A launch digest; each of these inputs is changed by itself, and has to change it.
fn launch(vectors: &Vectors, row: &Stated, change: &[&str]) -> Result<Row> {
    let inputs = vectors.json(row.file("inputs")?)?;
    let report = vectors.file(row.file("report")?)?;
    let measurement = snp::parse(&report)?.measurement;
    let same = |inputs: &Value| -> Result<bool> {
        Ok(Launch::from_inputs(inputs)?.digest()?.as_bytes() == measurement)
    };
    if change.is_empty() {
        let holds = same(&inputs)?;
        return Row::new(row, holds, "the launch digest, recomputed");
    }
    let mut any = false;
    for name in change {
        let mut changed = inputs.clone();
        let object = changed.as_object_mut().ok_or("inputs")?;
        let other = match object.get(name) {
            Some(Value::String(text)) => Value::from(format!("{text} ")),
            Some(value) => Value::from(value.as_u64().ok_or("a number")?.saturating_add(1)),
            None => return Err(format!("no `{name}`").into()),
        };
        object.insert(*name, other);
        any |= same(&changed)?;
    }
    Row::new(
        row,
        any,
        format!("other digests with another {}", change.join(" or ")),
    )
}

/// In which order RTMR 2 is extended.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Order {
    AsMeasured,
    Swapped,
}

/// RTMR 1 and 2 of five hashes.
fn image(vectors: &Vectors, row: &Stated, order: Order) -> Result<Row> {
    let inputs = vectors.json(row.file("inputs")?)?;
    let digest = |name: &str| -> Result<Sha384Digest> {
        let found = inputs.get("image").and_then(|image| image.get(name));
        let text = found
            .and_then(Value::as_str)
            .ok_or_else(|| format!("no `{name}`"))?;
        Ok(Sha384Digest::from_hex(text)?)
    };
    let parts = ImageParts {
        gpt: digest("gpt_disk_guid_hash")?,
        uki: digest("uki_authenticode")?,
        kernel: digest("kernel_authenticode")?,
        command_line: digest("cmdline_hash")?,
        initrd: digest("initrd_hash")?,
    };
    let quote = vectors.file(row.file("quote")?)?;
    let Body::Domain(domain) = dcap::parse(&quote)?.body else {
        return Err("no trust domain".into());
    };
    let [_, first, second, _] = domain.rtmrs;
    if order == Order::Swapped {
        let other = register(&[parts.initrd, parts.command_line]);
        return Row::new(
            row,
            other.as_bytes() == second,
            "RTMR 2, recomputed in that order",
        );
    }
    let holds = parts.rtmr1().as_bytes() == first && parts.rtmr2().as_bytes() == second;
    Row::new(row, holds, "RTMR 1 and 2, recomputed")
}
