use crate::check::checks;

checks! {
    /// What is checked of the token.
    TOKEN_ALL:
    TOKEN = "gcp.token", "there is one token, in the form that the launcher gives",
        "send the token alone, as the launcher answered it";
    HEADER = "gcp.header", "the header says nothing that is not looked at",
        "ask the launcher for a token of type OIDC";
    SIGNATURE = "gcp.signature", "a key that is pinned signed it",
        "give Google's key set for Confidential Space, and pin the thumbprints of keys that you have checked";
}

checks! {
    /// What is checked of the claims.
    CLAIMS_ALL:
    ISSUER = "gcp.issuer", "Google's attestation service issued it",
        "send a token of Confidential Space";
    TIME = "gcp.time", "the token counts at the time it is judged at",
        "ask the launcher for a new token";
    AUDIENCE = "gcp.audience", "it was made for this audience and no other",
        "ask for a token whose audience is the one that policy names";
    HARDWARE = "gcp.hardware", "the hardware is of a kind that is accepted",
        "run on a kind of machine that policy names under `hardware`";
    SOFTWARE = "gcp.software", "the image is Google's Confidential Space",
        "boot a Confidential Space image";
    VERSION = "gcp.version", "the image is not older than its floor",
        "boot a newer Confidential Space image";
    SUPPORT = "gcp.support", "the image is still supported as policy demands",
        "boot an image that is still supported, not one for debugging";
    DEBUG = "gcp.debug", "debugging has been disabled since boot",
        "boot the production image, not the one for debugging";
    SECURE_BOOT = "gcp.secure-boot", "secure boot is on",
        "turn secure boot on";
    IMAGE = "gcp.image", "the container image is among the reference values",
        "run an image that is named, or add its digest under `images`";
    ENVIRONMENT = "gcp.environment", "nobody changed the container's environment when it was started",
        "start without environment overrides, or decide `env_override: allowed`";
    COMMAND = "gcp.command", "nobody changed the container's command when it was started",
        "start without a command override, or decide `cmd_override: allowed`";
    PROJECT = "gcp.project", "the project is one that is pinned",
        "run in a project that is under `projects`";
    ZONE = "gcp.zone", "the zone is one that is pinned",
        "run in a zone that is under `zones`";
    INSTANCE = "gcp.instance", "the machine is one that is pinned",
        "pin the machine's number under `instances`";
    ACCOUNT = "gcp.account", "every service account is one that is pinned",
        "run with a service account that is under `service_accounts`";
    BINDING = "gcp.binding", "the token was made for what the verifier named",
        "ask the launcher for a token with this challenge among its nonces";
    IDENTITY = "gcp.identity", "something says whose machine it is",
        "pin projects, instances or service accounts";
}
