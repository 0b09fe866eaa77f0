use crate::check::checks;

checks! {
    /// What is checked of the token.
    TOKEN_ALL:
    TOKEN = "maa.token", "there is one token, in the form that the service gives",
        "send the token alone, as the service answered it";
    HEADER = "maa.header", "the header says nothing that is not looked at",
        "take a token from the service itself: its headers carry no keys";
    SIGNATURE = "maa.signature", "a key that is pinned for the issuer signed it",
        "give the issuer's key set (its `/certs`), and pin the thumbprints of keys that you have checked";
}

checks! {
    /// What is checked of the claims.
    CLAIMS_ALL:
    ISSUER = "maa.issuer", "the issuer is one that the reference values name",
        "name the instance whose tokens you take under `issuers`";
    TIME = "maa.time", "the token counts at the time it is judged at",
        "ask the service for a new token";
    VERSION = "maa.version", "the claims are of version 1.0",
        "use a release of this program that knows the version";
    WORKLOAD = "maa.workload", "attestation type and compliance status are those of a workload that is accepted",
        "run what the reference values name, or name this kind of workload";
    POLICY_HASH = "maa.policy-hash", "the instance applied a policy that is pinned",
        "pin the hash of the policy that your instance applies";
    DEBUG = "maa.debug", "the guest cannot be debugged",
        "start the guest without debugging";
    GUEST_DEBUG = "maa.guest-debug", "boot, kernel and hypervisor debugging and test signing are off in the guest",
        "turn debugging and test signing off in the guest's boot configuration";
    MIGRATION = "maa.migration", "the guest cannot be moved by a migration agent",
        "start the guest with a policy that forbids migration";
    SMT = "maa.smt", "simultaneous multithreading is as policy says",
        "run where it is off, or decide `smt: allowed`";
    VMPL = "maa.vmpl", "the report is of a privilege level that is accepted",
        "run the workload at a level that the reference values name";
    TCB = "maa.tcb", "no firmware component is below its floor",
        "run on a machine with newer firmware";
    GUEST_SVN = "maa.guest-svn", "the guest's security version is not below its floor",
        "deploy a newer image";
    MEASUREMENT = "maa.measurement", "the launch measurement is endorsed, or among the reference values",
        "deploy an image whose measurement is named, or add it under `measurements`";
    UVM = "maa.uvm", "the utility VM is endorsed by the issuer, feed and version that are accepted",
        "run on a node with a newer utility VM, or correct `uvm`";
    HOST_DATA = "maa.host-data", "the host data is the digest of a container policy that is pinned",
        "deploy with a container policy whose digest is under `host_data`";
    ID_KEY = "maa.id-key", "the ID key is one that is pinned",
        "pin the digest of the key that signs your images";
    SECURE_BOOT = "maa.secure-boot", "secure boot is on",
        "turn secure boot on, or decide `secure_boot: not-required`";
    RUNTIME_KEYS = "maa.runtime-keys", "the keys in the runtime data are those that are expected",
        "ask for a token with the key that you pinned";
    VM_ID = "maa.vm-id", "the virtual machine is one that is pinned",
        "pin the machine's identifier under `vm_ids`";
    BINDING = "maa.binding", "the token was made for what the verifier named",
        "ask for a new token with this challenge in its runtime data";
    IDENTITY = "maa.identity", "something says whose machine it is",
        "pin host data, runtime keys or machine identifiers";
}
