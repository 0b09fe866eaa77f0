use clap::{CommandFactory, Parser, error::ErrorKind};

use super::{Cli, Command, CompatWord, Format};

#[test]
fn the_command_line_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example_and_its_exit_codes() {
    fn walk(command: &clap::Command) {
        for inner in command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set())
        {
            if inner.has_subcommands() {
                walk(inner);
                continue;
            }
            let help = inner.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{}", inner.get_name());
            assert!(help.contains("Exit codes:"), "{}", inner.get_name());
        }
    }
    walk(&Cli::command());
}

#[test]
fn the_commands_of_the_python_cmcp_parse() {
    for line in [
        "cmcp start --config c.yaml --enforcement advisory",
        "cmcp validate-config --config c.yaml",
        "cmcp validate-bundle --bundle-path p/ --expected-hash ab",
        "cmcp verify claim.json --policy-hash a --catalog-hash b --max-age 86400 --trusted-key ab --audit-bundle f --agent-manifest f --agent-manifest-trust-anchor f --trusted-tpm-ca p --launch-measurement m --launch-measurement n",
        "cmcp client-bridge --gateway-url http://127.0.0.1/mcp --token-env T",
    ] {
        Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for line in [
        "cmcp start",
        "cmcp frobnicate",
        "cmcp verify",
        "cmcp start --config c --enforcement off",
    ] {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    let version = Cli::try_parse_from(["cmcp", "--version"]).unwrap_err();
    assert_eq!(
        (version.kind(), version.exit_code()),
        (ErrorKind::DisplayVersion, 0)
    );
}

#[test]
fn the_format_may_stand_anywhere() {
    let cli = Cli::try_parse_from([
        "cmcp", "verify", "r.json", "--format", "json", "--compat", "cmcp-0.7",
    ]);
    let cli = cli.unwrap();
    assert_eq!(cli.format, Format::Json);
    let Command::Verify(args) = cli.command else {
        panic!("not verify")
    };
    assert_eq!((args.max_age, args.compat), (86_400, Some(CompatWord::V07)));
}
