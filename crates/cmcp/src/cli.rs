//! The command line.

mod evidence;
mod measure;

pub(crate) use evidence::{
    EvidenceCommand, EvidenceFile, EvidenceRefreshArgs, EvidenceShowArgs, EvidenceVerifyArgs,
    ReferenceValuesArgs, ReferenceValuesFile, ServicesArgs,
};
pub(crate) use measure::{
    MeasureCommand, MeasureFileArgs, MeasureSnpArgs, MeasureTdxArgs, MeasureUkiArgs, Named,
};

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use cmcp_policy::{decide::Action, mode::Mode};

/// Confidential MCP gateway: every tool call is judged, recorded and provable afterwards.
#[derive(Debug, Parser)]
#[command(
    name = "cmcp",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 success; 1 failure; 2 wrong usage. `verify`, `evidence` and `measure` have more of their own.\n\
                  Start with: cmcp demo"
)]
pub(crate) struct Cli {
    /// How results are written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for a person.
    Human,
    /// One JSON document on standard output.
    Json,
    /// `evidence verify`: an EAT attestation result, JSON or signed.
    Ear,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the gateway.
    #[command(after_help = START)]
    Start(StartArgs),
    /// Check a configuration with its policy bundle and catalog, without starting.
    #[command(after_help = VALIDATE_CONFIG)]
    ValidateConfig(ConfigArgs),
    /// Print the digest of a policy bundle or a catalog, or compare it.
    #[command(after_help = VALIDATE_BUNDLE)]
    ValidateBundle(ValidateBundleArgs),
    /// Write a configuration, a catalog and a starter policy for servers you already use.
    #[command(after_help = INIT)]
    Init(InitArgs),
    /// Look at the catalog of what is approved, compare it, pin it anew.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Check policies, or ask which of them decides a call.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Verify a trust record, and the audit log that goes with it, offline.
    #[command(after_help = VERIFY)]
    Verify(VerifyArgs),
    /// Evidence of hardware: judge it offline, explain it, fetch what endorses it.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Compute what evidence should say, from what is started.
    #[command(subcommand)]
    Measure(MeasureCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Let a client that speaks stdio use a running gateway.
    #[command(after_help = CLIENT_BRIDGE)]
    ClientBridge(ClientBridgeArgs),
    /// See one allowed, one denied and one redacted call, and their proof.
    #[command(after_help = DEMO)]
    Demo(DemoArgs),
    /// Print a completion script for a shell.
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Answer one conformance vector from standard input.
    #[command(hide = true)]
    Conformance,
    /// Supervise one child process.
    #[command(hide = true)]
    ChildSupervise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Serve the sample tools on standard input and output.
    #[command(hide = true)]
    DemoServer,
    /// Write the generated part of `docs/`.
    #[command(hide = true)]
    Generate(GenerateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) file: ConfigArgs,
    /// Override `attestation.enforcement_mode`.
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) enforcement: Option<Enforcement>,
    /// Serve the host on standard input and output, and bind no port.
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Who that host is: the name of a configured principal.
    #[arg(long, value_name = "NAME", requires = "stdio")]
    pub(crate) principal: Option<String>,
}

/// The words of `--enforcement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Enforcement {
    Enforcing,
    Advisory,
    Silent,
}

impl From<Enforcement> for Mode {
    fn from(word: Enforcement) -> Self {
        match word {
            Enforcement::Advisory => Self::Advisory,
            Enforcement::Enforcing => Self::Enforcing,
            Enforcement::Silent => Self::Silent,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ValidateBundleArgs {
    /// A policy bundle's folder, or a catalog's file.
    #[arg(long, value_name = "PATH")]
    pub(crate) bundle_path: PathBuf,
    /// The digest it must have, with or without `sha256:`.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expected_hash: Option<String>,
    /// Read the files as the Python cMCP does.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) compat: Option<CompatWord>,
}

/// The versions of the Python cMCP whose quirks can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompatWord {
    #[value(name = "cmcp-0.7")]
    V07,
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// A client's configuration to take servers from: Claude Desktop, VS Code or Cursor.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Vec<PathBuf>,
    /// A server: `name=https://host/mcp`, or `name=command with arguments`.
    #[arg(long, value_name = "NAME=WHERE")]
    pub(crate) server: Vec<String>,
    /// Where to write.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Tools that only read, as their exposed names: the starter policy permits them.
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) read_only: Vec<String>,
    /// Take the servers' own `readOnlyHint` for tools you have not named. They may be wrong.
    #[arg(long)]
    pub(crate) trust_hints: bool,
    /// Who approves; written into the catalog. Default: the user's login name.
    #[arg(long, value_name = "WHO")]
    pub(crate) approver: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Host names of servers that may resolve to private addresses, as in
    /// `upstreams.allow_private_hosts`.
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', value_parser = host_name)]
    pub(crate) allow_private_hosts: Vec<String>,
    /// Servers that want a bearer token, and the environment variable that holds it.
    #[arg(long, value_name = "SERVER=VARIABLE", value_delimiter = ',', value_parser = pair)]
    pub(crate) bearer_env: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (server, variable) = text.split_once('=').unwrap_or_default();
    if server.is_empty() || variable.is_empty() {
        return Err("write SERVER=VARIABLE, as `github=GITHUB_TOKEN`");
    }
    Ok((server.to_owned(), variable.to_owned()))
}

fn host_name(text: &str) -> Result<String, &'static str> {
    crate::config::host_name(text).ok_or("write a host name without a port")
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Overwrite {
    /// Replace files that exist.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// List the approved tools, resources and prompts, and the catalog's digest.
    #[command(after_help = CATALOG_SHOW)]
    Show(CatalogArgs),
    /// Compare the approved definitions with what the servers offer now, or with another catalog.
    #[command(after_help = CATALOG_DIFF)]
    Diff(CatalogDiffArgs),
    /// Approve what the servers offer now, and measure their executables.
    #[command(after_help = CATALOG_PIN)]
    Pin(CatalogPinArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CatalogArgs {
    /// The catalog file.
    #[arg(value_name = "CATALOG", default_value = "catalog.json")]
    pub(crate) catalog: PathBuf,
    /// Read the file as the Python cMCP does.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) compat: Option<CompatWord>,
}

#[derive(Args, Debug)]
pub(crate) struct CatalogDiffArgs {
    #[command(flatten)]
    pub(crate) catalog: CatalogArgs,
    /// Compare with this catalog instead of asking the servers.
    #[arg(long, value_name = "CATALOG")]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Args, Debug)]
pub(crate) struct CatalogPinArgs {
    #[command(flatten)]
    pub(crate) catalog: CatalogArgs,
    /// Approve the changes of these tools. What is named is approved and nothing else; without a name
    /// every change is, and nothing new.
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) tool: Vec<String>,
    /// Approve the change of this resource, by its URI, or of this template of URIs; more than once.
    #[arg(long, value_name = "URI")]
    pub(crate) resource: Vec<String>,
    /// Approve the changes of these prompts.
    #[arg(long, value_name = "PROMPTS", value_delimiter = ',')]
    pub(crate) prompt: Vec<String>,
    /// Who approves; written into the catalog. Default: the user's login name.
    #[arg(long, value_name = "WHO")]
    pub(crate) approver: Option<String>,
    /// Approve without asking, once the changes have been shown.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a bundle against the schema that its catalog gives.
    #[command(after_help = POLICY_CHECK)]
    Check(PolicyArgs),
    /// Say which policies decide a call, and why.
    #[command(after_help = POLICY_EXPLAIN)]
    Explain(Box<PolicyExplainArgs>),
}

#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    /// The configuration that names bundle and catalog.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// What a policy is asked about.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArgs {
    /// A tool, by its exposed name.
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// A resource, by its URI; to complete one, the template.
    #[arg(long, value_name = "URI")]
    pub(crate) resource: Option<String>,
    /// A prompt, by its exposed name.
    #[arg(long, value_name = "NAME")]
    pub(crate) prompt: Option<String>,
    /// A server, by its name in the catalog: what it lists, and what it asks of clients.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
}

fn actions() -> impl TypedValueParser<Value = Action> {
    PossibleValuesParser::new(Action::ALL.map(Action::as_str))
        .try_map(|id| Action::of(&id).ok_or("it is none of them"))
}

#[derive(Args, Debug)]
pub(crate) struct PolicyExplainArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
    /// What is done: without it the tool is called, the resource read, the prompt got, the server's
    /// resources listed.
    #[arg(long, value_name = "ACTION", value_parser = actions())]
    pub(crate) action: Option<Action>,
    /// The arguments, a JSON object; of `complete` `argument` and `value`.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) arguments: String,
    /// What was called when the server asks.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) asked_by: String,
    /// How the server asks a person.
    #[arg(long, value_name = "MODE", value_parser = ["form", "url"], default_value = "form")]
    pub(crate) elicit_mode: String,
    /// The caller, as `principals` names it, or `PREFIX:CLAIM` for one that an issuer vouches for;
    /// without one, `anonymous`.
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,
    /// The scopes of the caller's token, separated by commas.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub(crate) scopes: Vec<String>,
    /// The workflow the caller declares.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) workflow: String,
    /// The highest sensitivity the session has seen.
    #[arg(long, value_name = "LABEL", default_value = "public")]
    pub(crate) sensitivity: String,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The trust record, or a claim of the Python cMCP.
    #[arg(value_name = "RECORD")]
    pub(crate) record: PathBuf,
    /// The audit export that belongs to it.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_bundle: Option<PathBuf>,
    /// The policy bundle's digest you expect.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) policy_hash: Option<String>,
    /// The catalog's digest you expect.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) catalog_hash: Option<String>,
    /// The gateway's public key you trust: hexadecimal, base64url, or a JWK file.
    #[arg(long, value_name = "KEY")]
    pub(crate) trusted_key: Option<String>,
    /// Largest acceptable age, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    pub(crate) max_age: u64,
    /// The nonce you asked the gateway to include.
    #[arg(long, value_name = "NONCE")]
    pub(crate) nonce: Option<String>,
    /// A launch measurement you approve; may be given more than once.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) launch_measurement: Vec<String>,
    /// Judge the evidence that the record carries by these reference values.
    #[arg(long, value_name = "FILE")]
    pub(crate) reference_values: Option<PathBuf>,
    /// The key that must have signed them: the signature is in FILE.sig. Hexadecimal, base64url, or a PEM
    /// file.
    #[arg(long, value_name = "KEY", requires = "reference_values")]
    pub(crate) reference_values_key: Option<String>,
    /// Certificates, revocation lists, collateral for that evidence: files, or folders of them; more than
    /// once.
    #[arg(long, value_name = "PATH", requires = "reference_values")]
    pub(crate) endorsements: Vec<PathBuf>,
    /// What the record's producer says that its evidence commits to: a `cmcp.commitment/v1`.
    #[arg(long, value_name = "FILE", requires = "reference_values")]
    pub(crate) commitment: Option<PathBuf>,
    /// Not available in this version.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) agent_manifest: Option<PathBuf>,
    /// Not available in this version.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) agent_manifest_trust_anchor: Option<PathBuf>,
    /// Not available in this version.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) trusted_tpm_ca: Option<PathBuf>,
    /// Judge as the Python cMCP does.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) compat: Option<CompatWord>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Write the signed log of a session, and its trust record.
    #[command(after_help = AUDIT_EXPORT)]
    Export(AuditExportArgs),
}

#[derive(Args, Debug)]
pub(crate) struct AuditExportArgs {
    /// The gateway's database.
    #[arg(long, value_name = "FILE", default_value = "audit.db")]
    pub(crate) database: PathBuf,
    /// The session; without one, the sessions are listed.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Where to write `record.json`, `claim.json` and `audit.json`.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
}

#[derive(Args, Debug)]
pub(crate) struct ClientBridgeArgs {
    /// The gateway's MCP address, as `https://gateway.example/mcp`.
    #[arg(long, value_name = "URL")]
    pub(crate) gateway_url: String,
    /// The environment variable that holds the bearer token.
    #[arg(long, value_name = "NAME", default_value = "CMCP_BEARER_TOKEN")]
    pub(crate) token_env: String,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Stop at the end instead of serving on.
    #[arg(long)]
    pub(crate) once: bool,
    /// Where to listen, on loopback. Default: 127.0.0.1:8443, or a free port if that is taken.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where everything is written: an empty folder. Default: one among the temporary files.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// The folder to write to.
    #[arg(long, value_name = "FOLDER", default_value = "docs")]
    pub(crate) dir: PathBuf,
    /// Write nothing; fail where a file differs.
    #[arg(long)]
    pub(crate) check: bool,
}

const START: &str = "Example: CMCP_DEV_MODE=1 cmcp start --config cmcp-config.yaml\n\n\
    Exit codes: 0 stopped by a signal; 1 fatal, with a code and a message for each problem; 2 usage.";
const VALIDATE_CONFIG: &str = "Example: cmcp validate-config --config cmcp-config.yaml\n\n\
    Exit codes: 0 valid; 1 invalid, with every problem; 2 usage.";
const VALIDATE_BUNDLE: &str = "Examples:\n  cmcp validate-bundle --bundle-path policies/\n  \
    cmcp validate-bundle --bundle-path policies/ --expected-hash sha256:f514…\n\n\
    Exit codes: 0 printed, or as expected; 1 unreadable, or another digest; 2 usage.";
const INIT: &str = "Examples:\n  \
    cmcp init --from ~/.config/Claude/claude_desktop_config.json\n  \
    cmcp init --server files='/usr/bin/mcp-files /srv/data' --server crm=https://crm.example/mcp\n\n\
    Exit codes: 0 written; 1 nothing written, with the reason; 2 usage.";
const CATALOG_SHOW: &str = "Example: cmcp catalog show catalog.json\n\n\
    Exit codes: 0 shown; 1 unreadable; 2 usage.";
const CATALOG_DIFF: &str = "Examples:\n  cmcp catalog diff catalog.json\n  \
    cmcp catalog diff catalog.json --against catalog-old.json\n\n\
    Exit codes: 0 the same; 1 different, or not comparable; 2 usage.";
const CATALOG_PIN: &str = "Example: cmcp catalog pin catalog.json --tool files__read_file\n\n\
    Exit codes: 0 approved, or nothing to approve; 1 not approved; 2 usage.";
const POLICY_CHECK: &str = "Example: cmcp policy check --config cmcp-config.yaml\n\n\
    Exit codes: 0 valid; 1 invalid, with every problem; 2 usage.";
const POLICY_EXPLAIN: &str = "Examples:\n  cmcp policy explain --config cmcp-config.yaml \
    --tool files__read_file --arguments '{\"path\": \"/srv/a\"}'\n  \
    cmcp policy explain --config cmcp-config.yaml --resource file:///srv/a\n  \
    cmcp policy explain --config cmcp-config.yaml --server crm --action elicit --elicit-mode url\n\n\
    Exit codes: 0 permitted; 1 denied, or not decidable; 2 usage.";
const VERIFY: &str = "Examples:\n  cmcp verify record.json --audit-bundle audit.json\n  \
    cmcp verify record.json --trusted-key 3b6a… --policy-hash sha256:f514… --catalog-hash sha256:c2aa…\n  \
    cmcp verify record.json --reference-values values.json --endorsements amd/ --commitment commitment.json\n\n\
    Exit codes: 0 verified; 1 failed; 2 usage; 3 partially_verified: nothing failed, something is\n\
    not established; 4 unverified: not a record. With --compat cmcp-0.7: 0 verified, 1 anything else.";
const AUDIT_EXPORT: &str = "Examples:\n  cmcp audit export --database audit.db\n  \
    cmcp audit export --database audit.db --session 4c1d… --dir proof/\n\n\
    Exit codes: 0 written or listed; 1 no such session, or unreadable; 2 usage.";
const CLIENT_BRIDGE: &str = "Example: CMCP_BEARER_TOKEN=… cmcp client-bridge --gateway-url http://127.0.0.1:8443/mcp\n\n\
    Exit codes: 0 the client closed its end; 1 no token, or no such address; 2 usage.";
const DEMO: &str = "Examples:\n  cmcp demo\n  cmcp demo --once --dir proof/\n\n\
    Exit codes: 0 shown; 1 something did not go as told; 2 usage.";
const COMPLETIONS: &str = "Example: cmcp completions bash > /etc/bash_completion.d/cmcp\n\n\
    Exit codes: 0 printed; 2 usage.";

#[cfg(test)]
mod tests;
