use crate::check::checks;

checks! {
    /// What is checked of the answer.
    TOKEN_ALL:
    ANSWER = "nras.answer", "there is one answer, in the form that the service gives",
        "send the service's answer as it came";
    HEADER = "nras.header", "the headers say nothing that is not looked at",
        "take the answer from the service itself";
    SIGNATURE = "nras.signature", "whom policy names signed every token",
        "give the service's key set and pin its keys, or name the root of its certificates";
    DIGESTS = "nras.digests", "the overall token and the devices' tokens belong to each other",
        "send all tokens of one answer, and no other";
}

checks! {
    /// What is checked of the claims.
    CLAIMS_ALL:
    ISSUER = "nras.issuer", "the service that policy names issued every token",
        "name the service under `issuers`";
    TIME = "nras.time", "every token counts at the time it is judged at",
        "ask the service for a new answer";
    VERSION = "nras.version", "the claims are of a version that is known",
        "use a release of this program that knows the version";
    OVERALL = "nras.overall", "the service's overall verdict is good",
        "look at the devices' verdicts below";
    DEVICES = "nras.devices", "there are as many devices as policy says, and every one is a GPU",
        "send evidence of all GPUs, or correct `devices`";
    MEASUREMENTS = "nras.measurements", "every device's measurements are those of its driver and VBIOS",
        "reset the GPU, or install a driver and VBIOS that NVIDIA has published";
    DEBUG = "nras.debug", "no device can be debugged",
        "turn the GPU's debug mode off";
    SECURE_BOOT = "nras.secure-boot", "every device booted securely",
        "turn confidential computing mode on, and reset the GPU";
    VERDICTS = "nras.verdicts", "the service checked report, chain and manifests of every device, and all were good",
        "look at the claims that are named";
    CERTIFICATES = "nras.certificates", "every certificate chain is valid and not revoked",
        "install a driver and VBIOS whose signers are not revoked";
    WARNINGS = "nras.warnings", "the service warns of nothing",
        "do what the warning says, or decide `warnings: tolerated`";
    MODEL = "nras.model", "every device is of a model that is pinned",
        "pin the model under `models`";
    DRIVER = "nras.driver", "every driver is of a version that is pinned",
        "install a driver that is under `driver_versions`";
    VBIOS = "nras.vbios", "every VBIOS is of a version that is pinned",
        "install a VBIOS that is under `vbios_versions`";
    DEVICE_ID = "nras.device-id", "every device is one that is pinned",
        "pin the device's identifier under `device_ids`";
    BINDING = "nras.binding", "every token was made for what the verifier named, and all for one challenge",
        "ask for a new answer with this nonce";
    IDENTITY = "nras.identity", "something says whose devices they are",
        "pin the devices under `device_ids`";
}
