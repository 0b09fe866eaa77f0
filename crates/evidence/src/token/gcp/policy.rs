use crate::{
    Sha256Digest,
    policy::{Fields, Measurements, Pin, fields::text},
    token::common::{Identity, Lifetime, NonceForm, Overrides, some_of, thumbprint},
};

/// What is accepted of tokens of Confidential Space. Images for debugging never are: there is no field
/// for them.
#[derive(Clone, Debug)]
pub struct GcpPolicy {
    /// Thumbprints of Google's keys; never empty.
    pub keys: Vec<Sha256Digest>,
    /// How long a token counts.
    pub lifetime: Lifetime,
    /// How the challenge is written.
    pub nonce: NonceForm,
    /// For whom it must have been made.
    pub audience: String,
    /// Kinds of hardware, as Google calls them; never empty.
    pub hardware: Vec<String>,
    /// The least version of the image.
    pub minimum_version: u64,
    /// How the image must be supported: one of Google's words.
    pub support: &'static str,
    /// Digests of container images by name.
    pub images: Measurements,
    /// Whether the environment may be changed at start.
    pub env_override: Overrides,
    /// Whether the command may be changed at start.
    pub cmd_override: Overrides,
    /// Projects.
    pub projects: Pin<String>,
    /// Zones.
    pub zones: Pin<String>,
    /// Numbers of machines.
    pub instances: Pin<String>,
    /// Service accounts.
    pub service_accounts: Pin<String>,
    /// Whether something says whose machine it is.
    pub identity: Identity,
}

impl GcpPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let keys = some_of(fields, "keys", thumbprint);
        let lifetime = fields.section("lifetime", Lifetime::read);
        let nonce = NonceForm::read(fields);
        let audience = fields.text("audience");
        let hardware = some_of(fields, "hardware", text);
        let minimum_version = fields.number("minimum_version", u64::from(u32::MAX));
        let support = fields.word(
            "support",
            &[
                ("stable", "STABLE"),
                ("latest", "LATEST"),
                ("usable", "USABLE"),
            ],
        );
        let images = fields.measurements("images", 32);
        let env_override = Overrides::read(fields, "env_override");
        let cmd_override = Overrides::read(fields, "cmd_override");
        let projects = fields.pin("projects", text);
        let zones = fields.pin("zones", text);
        let instances = fields.pin("instances", text);
        let service_accounts = fields.pin("service_accounts", text);
        let pinned = projects
            .as_ref()
            .zip(instances.as_ref())
            .zip(service_accounts.as_ref())
            .map(|((project, instance), account)| {
                !(project.is_any() && instance.is_any() && account.is_any())
            });
        let pins = "`projects`, `instances` and `service_accounts`";
        let identity = Identity::read(fields, pinned, pins);
        Some(Self {
            keys: keys?,
            lifetime: lifetime?,
            nonce: nonce?,
            audience: audience?,
            hardware: hardware?,
            minimum_version: minimum_version?,
            support: support?,
            images: images?,
            env_override: env_override?,
            cmd_override: cmd_override?,
            projects: projects?,
            zones: zones?,
            instances: instances?,
            service_accounts: service_accounts?,
            identity: identity?,
        })
    }
}
