//! The checks of SGX and TDX, by name.

use crate::check::checks;

checks! {
    /// What is checked of every quote, with collateral or without.
    QUOTE:
    FORMAT = "dcap.format", "the quote is of a version, type and length that is known",
        "send the quote as the platform gave it";
    PADDING = "dcap.padding", "nothing but zeros follows the quote",
        "send one quote and nothing behind it";
    QE_VENDOR = "dcap.qe-vendor", "the quoting enclave is Intel's",
        "take quotes from Intel's quoting enclave";
    QUOTE_SIGNATURE = "dcap.quote-signature", "the attestation key signed header and body",
        "refuse the quote: it was altered or made up";
    QE_BINDING = "dcap.qe-binding", "the quoting enclave's report commits to the attestation key",
        "refuse the quote: its key is another's";
    QE_SIGNATURE = "dcap.qe-signature", "the machine's PCK signed the quoting enclave's report",
        "refuse the quote: its quoting enclave is another machine's or made up";
    QE_STATE = "dcap.qe-state", "the quoting enclave is initialized and not in debug mode",
        "run the production quoting enclave";
    PCK_CHAIN = "dcap.pck-chain", "the PCK certificate leads over a PCK authority to a trusted root, all valid now",
        "fetch the PCK certificate of this machine, or name the root that it leads to";
    MACHINE = "dcap.machine", "the PCK certificate says which machine it is of",
        "fetch the PCK certificate of this machine";
    DYNAMIC_PLATFORM = "dcap.dynamic-platform", "policy accepts whether packages can be added to the machine",
        "decide `platform.dynamic_platform`: most servers need `allowed`";
    CACHED_KEYS = "dcap.cached-keys", "policy accepts whether Intel keeps the machine's root keys",
        "decide `platform.cached_keys`: most servers need `allowed`";
    SMT = "dcap.smt", "policy accepts whether simultaneous multithreading is on",
        "switch it off in the firmware, or decide `platform.smt: allowed`";
    MEMORY = "dcap.memory", "policy accepts how the machine protects its memory",
        "use a machine with the protection that `platform.memory` names";
    PPID = "dcap.ppid", "policy lists this machine, or any",
        "add the machine's PPID to `ppids`, if it is yours";
}

checks! {
    /// What is checked with Intel's collateral.
    TCB:
    COLLATERAL = "dcap.collateral", "there is collateral that can be read",
        "fetch collateral with `cmcp evidence refresh` and give it along";
    COLLATERAL_PCK = "dcap.collateral-pck", "the collateral's certificates of the PCK, if it has any, are the quote's own",
        "fetch collateral for this machine";
    SIGNER = "dcap.tcb-signer", "TCB info and QE identity come with Intel's signer, directly below a trusted root and valid now",
        "fetch collateral anew, or name the root that it leads to";
    REVOCATION = "dcap.revocation", "revocation lists of every authority are there, current and signed, and list none of the certificates",
        "fetch collateral anew; a machine or signer that is listed is not to be trusted";
    TCB_INFO_SIGNATURE = "dcap.tcb-info-signature", "Intel's signer signed the TCB info as it came",
        "fetch collateral anew";
    TCB_INFO_TIME = "dcap.tcb-info-time", "the TCB info is issued and its next update is not due",
        "fetch collateral anew, and check the clock";
    TCB_INFO_KIND = "dcap.tcb-info-kind", "the TCB info is for this technology and in a version that is known",
        "fetch the TCB info of SGX for SGX and of TDX for TDX";
    FMSPC = "dcap.fmspc", "the TCB info is about this kind of machine",
        "fetch collateral for the FMSPC of the PCK certificate";
    PCE_ID = "dcap.pce-id", "the TCB info is about this provisioning certification enclave",
        "fetch collateral for the PCEID of the PCK certificate";
    QE_IDENTITY_SIGNATURE = "dcap.qe-identity-signature", "Intel's signer signed the QE identity as it came",
        "fetch collateral anew";
    QE_IDENTITY_TIME = "dcap.qe-identity-time", "the QE identity is issued and its next update is not due",
        "fetch collateral anew, and check the clock";
    QE_IDENTITY_KIND = "dcap.qe-identity-kind", "the QE identity is for this technology and in a version that is known",
        "fetch the identity `QE` for SGX and `TD_QE` for TDX";
    QE_IDENTITY = "dcap.qe-identity", "the quoting enclave has signer, product, attributes and features of the QE identity",
        "run Intel's production quoting enclave";
    EVALUATION = "dcap.tcb-evaluation", "TCB info and QE identity follow from an evaluation that is new enough",
        "fetch collateral anew, or lower `tcb_evaluation_at_least`";
    APPRAISAL = "dcap.appraisal", "an independent verifier finds a TCB level for machine, module and quoting enclave",
        "update the machine; if nothing else failed, fetch collateral anew";
    TCB_STATUS = "dcap.tcb-status", "the TCB status is `UpToDate`, or one that policy tolerates by name",
        "update firmware, microcode, TDX module and quoting enclave, or tolerate the status for a while";
    ADVISORIES = "dcap.advisories", "no advisory is open but those that policy tolerates by name",
        "update the machine, or tolerate the advisory for a while";
}

checks! {
    /// What is checked of an enclave.
    SGX:
    SGX_VERSION = "sgx.version", "the quote is of version 3 and about an enclave",
        "take SGX quotes of version 3";
    SGX_DEBUG = "sgx.debug", "the enclave is not in debug mode",
        "build and sign the enclave for production";
    SGX_INIT = "sgx.init", "the enclave is initialized",
        "refuse the quote: no running enclave is without it";
    SGX_PROVISION_KEY = "sgx.provision-key", "the enclave has no access to the provisioning key",
        "build the enclave without the attribute";
    SGX_EINITTOKEN_KEY = "sgx.einittoken-key", "the enclave has no access to the launch key",
        "build the enclave without the attribute";
    SGX_MODE64 = "sgx.mode64", "64-bit mode is as policy says",
        "build the enclave so, or change `attributes.mode64`";
    SGX_CET = "sgx.cet", "control-flow enforcement is as policy says",
        "build the enclave so, or change `attributes.cet`";
    SGX_KSS = "sgx.kss", "key separation and sharing is as policy says",
        "build the enclave so, or change `attributes.kss`";
    SGX_AEX_NOTIFY = "sgx.aex-notify", "notification of asynchronous exits is as policy says",
        "build the enclave so, or change `attributes.aex_notify`";
    SGX_RESERVED = "sgx.reserved", "no bit and no field that has no name is set",
        "update this program if the platform is newer than it";
    SGX_XFRM = "sgx.xfrm", "the processor features are those that policy accepts",
        "build the enclave with other features, or change `xfrm`";
    SGX_MISCSELECT = "sgx.miscselect", "the state save area is what policy accepts",
        "build the enclave otherwise, or change `miscselect`";
    SGX_MEASUREMENT = "sgx.measurement", "policy names this enclave, or its signer and product",
        "add MRENCLAVE to `measurements`, or the signer to `signers`, if it is known code";
    SGX_ISV_SVN = "sgx.isv-svn", "the enclave's security version is not below that of its signer's entry",
        "update the enclave";
    SGX_CONFIG_ID = "sgx.config-id", "the configuration id is one that policy lists, or any",
        "launch the enclave with the expected configuration";
    SGX_CONFIG_SVN = "sgx.config-svn", "the configuration's version is not below the floor",
        "launch the enclave with a newer configuration";
    SGX_FAMILY = "sgx.family", "family and extended product id are ones that policy lists, or any",
        "use the expected product";
    SGX_BINDING = "sgx.binding", "the report data is the one expected, all 64 bytes",
        "ask for evidence for this key, session or challenge";
    SGX_IDENTITY = "sgx.identity", "something pins whose machine it is",
        "list `ppids` or `config_ids`";
}

checks! {
    /// What is checked of a trust domain.
    TDX:
    TDX_VERSION = "tdx.version", "the quote is of version 4 or 5 and about a trust domain",
        "take TDX quotes of version 4 or 5";
    TDX_DEBUG = "tdx.debug", "the domain is not in debug mode",
        "launch the domain without it";
    TDX_PROFILING = "tdx.profiling", "the domain is not profiled",
        "launch the domain without it";
    TDX_RESERVED = "tdx.reserved", "no attribute that has no name is set",
        "update this program if the platform is newer than it";
    TDX_SEPT_VE_DISABLE = "tdx.sept-ve-disable", "page faults of the host's making end the domain",
        "launch the domain with SEPT_VE_DISABLE";
    TDX_MIGRATABLE = "tdx.migratable", "the domain cannot be migrated",
        "launch the domain without it";
    TDX_ICSSD = "tdx.icssd", "the defence against single stepping by instruction counts is as policy says",
        "launch the domain so, or change `attributes.icssd`";
    TDX_SERVTD_EXT = "tdx.servtd-ext", "the extension for service domains is as policy says",
        "launch the domain so, or change `attributes.servtd_ext`";
    TDX_LASS = "tdx.lass", "linear address space separation is as policy says",
        "launch the domain so, or change `attributes.lass`";
    TDX_PKS = "tdx.pks", "supervisor protection keys are as policy says",
        "launch the domain so, or change `attributes.pks`";
    TDX_KEY_LOCKER = "tdx.key-locker", "Key Locker is as policy says",
        "launch the domain so, or change `attributes.key_locker`";
    TDX_TPA = "tdx.tpa", "the provisioning agent for devices is as policy says",
        "launch the domain so, or change `attributes.tpa`";
    TDX_PERFMON = "tdx.perfmon", "performance monitoring is as policy says",
        "launch the domain so, or change `attributes.perfmon`";
    TDX_XFAM = "tdx.xfam", "the processor features are those that policy accepts",
        "launch the domain with other features, or change `xfam`";
    TDX_SEAM_ATTRIBUTES = "tdx.seam-attributes", "the TDX module has no attribute set",
        "run the production TDX module";
    TDX_MRSEAM = "tdx.mrseam", "the TDX module is one that policy lists, or any",
        "update the TDX module, or add its digest to `mrseam`";
    TDX_MRSIGNERSEAM = "tdx.mrsignerseam", "the TDX module's signer is one that policy lists, or any",
        "run Intel's TDX module";
    TDX_SERVICE_TDS = "tdx.service-tds", "no service domain is bound, or only those that policy lists",
        "launch the domain without it, or add it to `service_tds`";
    TDX_DEVICES = "tdx.devices", "no device is assigned, or only those that policy lists",
        "launch the domain without it, or add it to `devices`";
    TDX_PARTITION = "tdx.partition", "the report is about the whole domain",
        "take the report of an undivided domain";
    TDX_MEASUREMENT = "tdx.measurement", "policy names this MRTD",
        "add it to `measurements`, if it is known firmware";
    TDX_RTMR0 = "tdx.rtmr0", "RTMR0 is as policy says",
        "launch the expected machine shape, or change `rtmr0`";
    TDX_RTMR1 = "tdx.rtmr1", "RTMR1 is as policy says",
        "launch the expected boot loader and kernel, or change `rtmr1`";
    TDX_RTMR2 = "tdx.rtmr2", "RTMR2 is as policy says",
        "launch with the expected command line and initial disk, or change `rtmr2`";
    TDX_RTMR3 = "tdx.rtmr3", "RTMR3 is as policy says",
        "run the expected application, or change `rtmr3`";
    TDX_EVENT_LOG = "tdx.event-log", "the event log can be read, and every digest that follows from its event does",
        "send the log that belongs to the quote";
    TDX_MRCONFIGID = "tdx.mrconfigid", "the configuration id is one that policy lists, or any",
        "launch the domain with the expected configuration";
    TDX_MROWNER = "tdx.mrowner", "the owner is one that policy lists, or any",
        "launch the domain under the expected owner";
    TDX_MROWNERCONFIG = "tdx.mrownerconfig", "the owner's configuration is one that policy lists, or any",
        "launch the domain with the expected configuration";
    TDX_BINDING = "tdx.binding", "the report data is the one expected, all 64 bytes",
        "ask for evidence for this key, session or challenge";
    TDX_IDENTITY = "tdx.identity", "something pins whose machine it is",
        "list `ppids`, `mrconfigid`, `mrowner` or an own value of `rtmr3`";
}
