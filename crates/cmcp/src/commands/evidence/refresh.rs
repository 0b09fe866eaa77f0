//! `cmcp evidence refresh`.

use std::{fs, path::Path};

use cmcp_connect::{
    Fetcher, Listed, Url,
    collateral::{Collateral, CollateralError, Patience, Services},
};
use cmcp_evidence::{
    needs::{Need, Service, check_chain, needs},
    snp::Product,
};
use cmcp_json::{Object, Value};

use super::{Ended, EvidenceFailure, Opened};
use crate::{
    cli::{EvidenceRefreshArgs, ServicesArgs},
    commands::{Context, Exit, Failure, start},
    write,
};

pub(crate) fn run(arguments: &EvidenceRefreshArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let opened = Opened::read(&arguments.file)?;
    let product = arguments.product.map(Product::from);
    let needs =
        needs(opened.evidence(), product).map_err(|error| EvidenceFailure::NothingToFetch {
            path: arguments.file.evidence.clone(),
            error,
        })?;
    let mut plan = Vec::new();
    for need in needs {
        let url = url(&need, &arguments.services)?;
        plan.push((need, url));
    }
    let listed = Listed::hosts(arguments.allow_private_hosts.iter().cloned());
    let listed = plan.iter().fold(listed, |listed, (_, url)| listed.and(url));
    let fetcher = Fetcher::new(listed).map_err(|error| EvidenceFailure::Tls {
        error: error.to_string(),
    })?;
    let services = Services::new(fetcher, Patience::USUAL);
    let runtime = start::runtime()?;
    let mut files = Vec::new();
    let mut worst = Exit::Ok;
    for (need, url) in &plan {
        let done = runtime.block_on(one(need, url, &arguments.into, &services))?;
        let (file, place) = (need.file(), url.place());
        output.line(done.line(&file, &place));
        if let Done::Refused { ended, .. } = &done {
            // Of two failures the one that may go away by itself is told.
            if worst != Exit::Evidence(Ended::Service) {
                worst = Exit::Evidence(*ended);
            }
        }
        files.push(done.to_json(&file, &place));
    }
    output.json(&Object::from([("files", Value::Array(files))]).into());
    Ok(worst)
}

/// What came of one document.
enum Done {
    Kept,
    Refused { why: String, ended: Ended },
    Written,
}

impl Done {
    fn line(&self, file: &str, place: &str) -> String {
        match self {
            Self::Kept => format!("kept     {file}: it never changes"),
            Self::Refused { why, .. } => format!("FAILED   {file}: {why}"),
            Self::Written => format!("written  {file}, from {place}"),
        }
    }

    fn to_json(&self, file: &str, place: &str) -> Value {
        let (state, why) = match self {
            Self::Kept => ("kept", None),
            Self::Refused { why, .. } => ("failed", Some(why)),
            Self::Written => ("written", None),
        };
        let mut members = Object::from([("file", file), ("from", place), ("state", state)]);
        if let Some(why) = why {
            members.insert("error", why.as_str());
        }
        members.into()
    }
}

/// Fetches one document and writes it once it is whole and is what was asked for. What is there already
/// stays where anything goes wrong.
async fn one(
    need: &Need,
    url: &Url,
    into: &Path,
    services: &Services,
) -> Result<Done, EvidenceFailure> {
    let path = into.join(need.file());
    if need.lasts() && fs::read(&path).is_ok_and(|bytes| need.check(&bytes).is_ok()) {
        return Ok(Done::Kept);
    }
    let Collateral { bytes, chain } = match services.get(url, need.chain_header()).await {
        Ok(collateral) => collateral,
        Err(error) => {
            let ended = match &error {
                CollateralError::Chain { .. } => Ended::Foreign,
                CollateralError::Fetch(_)
                | CollateralError::Status { .. }
                | CollateralError::Throttled { .. }
                | CollateralError::Unknown { .. } => Ended::Service,
            };
            let why = error.to_string();
            return Ok(Done::Refused { why, ended });
        }
    };
    let checked = need.check(&bytes).and_then(|()| match &chain {
        Some(chain) => check_chain(chain.as_bytes()),
        None => Ok(()),
    });
    if let Err(why) = checked {
        let why = format!("`{}`: {why}", url.place());
        let ended = Ended::Foreign;
        return Ok(Done::Refused { why, ended });
    }
    let write = |path: &Path, bytes: &[u8]| {
        write::replace(path, bytes).map_err(|error| EvidenceFailure::Write {
            path: path.to_owned(),
            error,
        })
    };
    if let Some(chain) = chain {
        write(
            &into.join(format!("{}.chain.pem", need.file())),
            chain.as_bytes(),
        )?;
    }
    write(&path, &bytes)?;
    Ok(Done::Written)
}

/// Where a document is, by the addresses of services that were given.
fn url(need: &Need, services: &ServicesArgs) -> Result<Url, Failure> {
    let ServicesArgs {
        kds,
        pcs,
        intel_root_crl,
        maa,
        nras,
        gcp_keys,
    } = services;
    let (flag, base) = match need.service() {
        Service::Kds => ("--kds", kds.clone()),
        Service::Pcs => ("--pcs", pcs.clone()),
        Service::IntelRootCrl => ("--intel-root-crl", intel_root_crl.clone()),
        Service::Nras => ("--nras", nras.clone()),
        Service::GcpKeys => ("--gcp-keys", gcp_keys.clone()),
        Service::Maa { issuer } => ("--maa", instance(issuer, maa.as_deref())?),
    };
    let url = format!("{}{}", base.trim_end_matches('/'), need.path());
    url.parse().map_err(|error| {
        EvidenceFailure::Address {
            flag,
            value: base,
            error,
        }
        .into()
    })
}

/// The token says who issued it, and whoever made the token may be nobody's friend: an address out of it
/// is asked only where it is one of Microsoft's, or is named.
fn instance(issuer: String, named: Option<&str>) -> Result<String, Failure> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let url: Option<Url> = issuer.parse().ok();
    let microsoft = url.is_some_and(|url| {
        url.origin() == issuer && issuer.starts_with("https://") && url.host().ends_with(MAA)
    });
    match microsoft {
        true => Ok(issuer),
        false => Err(Failure::Flag {
            flag: "--maa",
            value: String::new(),
            expected: "the instance's URL: the token's issuer is not below `attest.azure.net`",
        }),
    }
}

const MAA: &str = ".attest.azure.net";
