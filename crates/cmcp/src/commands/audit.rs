//! `cmcp audit export`.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use cmcp_gateway::{Archive, ArchiveError, ArchivedSession, ExportForm};
use cmcp_json::{Object, Value};

use crate::{
    cli::AuditExportArgs,
    commands::{Context, Exit, Failure},
    output::Output,
    render::table::Table,
};

pub(crate) fn export(arguments: &AuditExportArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let AuditExportArgs {
        database,
        session,
        dir,
        overwrite,
    } = arguments;
    let archive = Archive::open(database).map_err(Failure::Archive)?;
    let Some(id) = session else {
        list(
            &archive.sessions().map_err(Failure::Archive)?,
            context.output,
        );
        return Ok(Exit::Ok);
    };
    let Some(session) = archive.session(id).map_err(Failure::Archive)? else {
        return Err(Failure::NoSession {
            id: id.clone(),
            database: database.clone(),
        });
    };
    let files = [
        "record.json",
        "claim.json",
        "audit.json",
        "audit-cmcp-0.7.json",
    ];
    let paths = files.map(|name| dir.join(name));
    if let (false, Some(path)) = (overwrite.force, paths.iter().find(|path| path.exists())) {
        return Err(Failure::Exists { path: path.clone() });
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| Failure::Write { path, error }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    let [record, claim, audit, older] = &paths;
    let signed = archive.record(&session).map_err(Failure::Archive)?;
    write(record, |out| {
        out.write_all(&signed).map_err(ArchiveError::Write)
    })?;
    let envelope = archive.claim(&session).map_err(Failure::Archive)?;
    write(claim, |out| {
        out.write_all(&envelope).map_err(ArchiveError::Write)
    })?;
    write(audit, |out| archive.export(&session, ExportForm::Ours, out))?;
    write(older, |out| {
        archive.export(&session, ExportForm::Compat, out)
    })?;
    show(&paths, context.output);
    Ok(Exit::Ok)
}

/// Writes one file and has it on disk before the command ends.
fn write(
    path: &PathBuf,
    fill: impl FnOnce(&mut BufWriter<std::fs::File>) -> Result<(), ArchiveError>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Write {
        path: path.clone(),
        error,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path);
    let mut out = BufWriter::new(file.map_err(failed)?);
    fill(&mut out).map_err(Failure::Archive)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

fn list(sessions: &[ArchivedSession], output: Output) {
    let mut table = Table::new(["session", "principal", "label", "state"]);
    let mut rows = Vec::new();
    for session in sessions {
        let state = if session.is_closed() {
            "closed"
        } else {
            "open"
        };
        let label = session.label().unwrap_or("");
        table.row([session.id(), session.principal(), label, state]);
        rows.push(Value::from(Object::from([
            ("session", session.id()),
            ("principal", session.principal()),
            ("label", label),
            ("state", state),
        ])));
    }
    for line in table.lines() {
        output.line(line);
    }
    output.json(&Object::from([("sessions", Value::Array(rows))]).into());
}

fn show([record, claim, audit, older]: &[PathBuf; 4], output: Output) {
    let rows = [
        ("record", record, "the trust record"),
        (
            "claim",
            claim,
            "the same for verifiers of the Python cMCP 0.7",
        ),
        ("audit", audit, "the signed log"),
        (
            "audit_cmcp_0_7",
            older,
            "the same for verifiers of the Python cMCP 0.7",
        ),
    ];
    let mut members = Object::new();
    for (name, path, what) in rows {
        output.line(format!("{}  {what}", path.display()));
        members.insert(name, path.display().to_string());
    }
    output.line(format!(
        "Verify: cmcp verify {} --audit-bundle {}",
        record.display(),
        audit.display()
    ));
    output.json(&members.into());
}
