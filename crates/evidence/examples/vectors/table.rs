//! The table of vectors: what each row asks, under which policy, at which time, and what the code says.

use std::{error::Error, path::Path};

use cmcp_json::{Object, Value};

mod azure;
mod beside;
mod case;
mod certificates;
mod devices;
mod files;
mod logs;
mod measured;
mod policy;
mod quotes;
mod render;
mod reports;
mod tokens;
mod vectors;

use case::Row;
use files::File;
use vectors::Vectors;

/// Everything that goes wrong is a sentence about a row.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// All rows, and all files.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
    files: Vec<File>,
}

impl Table {
    /// Judges everything in a folder.
    pub(crate) fn judge(folder: &Path) -> Result<Self> {
        let vectors = Vectors::open(folder)?;
        let mut rows = Vec::new();
        for row in vectors.rows("expectations-dcap.json")? {
            rows.push(quotes::with_collateral(&vectors, &row)?);
        }
        for row in vectors.rows("expectations-snp.json")? {
            rows.push(reports::judge(&vectors, &row)?);
        }
        for row in vectors.rows("expectations-other.json")? {
            let judged = match row.text("kind")? {
                "aci" => azure::group(&vectors, &row),
                "azure-vtpm" => azure::machine(&vectors, &row),
                "ccel" | "eventlog" => logs::judge(&vectors, &row),
                "gcp-claims" => tokens::gcp(&vectors, &row),
                "maa" => tokens::maa(&vectors, &row),
                "measurement" => measured::judge(&vectors, &row),
                "nitro" => devices::nitro(&vectors, &row),
                "nvidia" => devices::gpu(&vectors, &row),
                "ratls" => certificates::judge(&vectors, &row),
                "sgx" | "tdx" => quotes::alone(&vectors, &row),
                "skr-policy" => tokens::release(&vectors, &row),
                "tpm" => devices::tpm(&vectors, &row),
                other => Err(format!("no way to judge a row of kind `{other}`").into()),
            };
            let id = row.text("id")?.to_owned();
            rows.push(judged.map_err(|error| format!("{id}: {error}"))?);
        }
        rows.extend(certificates::bindings(&vectors)?);
        rows.extend(beside::all(&vectors)?);
        let files = files::all(&vectors, &rows)?;
        Ok(Self { rows, files })
    }

    /// Rows whose verdict is not the stated one, and files that nobody could make anything of.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let rows = self.rows.iter().filter_map(Row::wrong);
        let files = self.files.iter().filter_map(File::wrong);
        rows.chain(files).collect()
    }

    /// Every case that was appraised, one a line: its name, the question, and the answer of this build.
    pub(crate) fn questions(&self) -> String {
        let lines = self.rows.iter().filter_map(|row| {
            let (question, answer) = row.question.clone()?;
            let line = Object::from([
                ("name", Value::from(row.id.as_str())),
                ("question", question),
                ("answer", answer),
            ]);
            Some(format!("{}\n", Value::Object(line)))
        });
        lines.collect()
    }

    /// The table as Markdown.
    pub(crate) fn render(&self) -> String {
        render::table(&self.rows, &self.files)
    }
}
