//! Tests the commands about the program: version, completions and man pages.

use std::collections::BTreeSet;
use std::fs;

use clap::{Command, CommandFactory as _};
use serde_json::json;

use super::TestCatalog;

/// Names of the visible commands and their subcommands, such as `show image`.
fn visible_commands(command: &Command, above: &str) -> Vec<String> {
    let visible = command.get_subcommands().filter(|c| !c.is_hide_set());
    visible
        .flat_map(|child| {
            let name = format!("{above}{}", child.get_name());
            let mut names = visible_commands(child, &format!("{name} "));
            names.push(name);
            names
        })
        .collect()
}

#[test]
fn version_names_target_and_features() {
    let catalog = TestCatalog::new();
    let version = catalog.run(&["version", "--json"]).json();
    let live = if cfg!(feature = "live") {
        json!(["live"])
    } else {
        json!([])
    };
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["features"], live);
    let target = version["target"].as_str().expect("a text");
    assert!(
        target.starts_with(std::env::consts::ARCH) && target.contains(std::env::consts::OS),
        "{target}"
    );
    assert_eq!(
        version["commit"],
        json!(option_env!("BAKELINE_COMMIT")),
        "only `make dist` sets the commit"
    );
    let text = catalog.run(&["version"]).stdout;
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.starts_with(&format!(
        "bakeline {}\ncommit:   ",
        env!("CARGO_PKG_VERSION")
    )));
    assert!(text.contains(target), "{text}");
}

#[test]
fn completions_contain_visible_commands_only() {
    let catalog = TestCatalog::new();
    let commands = visible_commands(&bakeline::cli::Cli::command(), "");
    assert!(commands.iter().any(|name| name == "show image"));
    for shell in ["bash", "zsh", "fish"] {
        let script = catalog.run(&["completions", shell]);
        assert_eq!((script.code, script.stderr.as_str()), (0, ""));
        for name in commands
            .iter()
            .filter_map(|name| name.split(' ').next_back())
        {
            assert!(script.stdout.contains(name), "{shell}: {name}");
        }
        for hidden in ["check-build", "supervise", "man-pages"] {
            assert!(!script.stdout.contains(hidden), "{shell}: {hidden}");
        }
    }
    catalog
        .run(&["completions", "tcsh"])
        .assert_fails(2, &["tcsh", "bash", "zsh", "fish"]);
}

#[test]
fn each_visible_command_has_man_page() {
    let catalog = TestCatalog::new();
    let written = catalog.run(&["man-pages", "man", "--date", "2026-11-30"]);
    assert_eq!((written.code, written.stderr.as_str()), (0, ""));
    let commands = visible_commands(&bakeline::cli::Cli::command(), "");
    let expected: BTreeSet<String> = commands
        .iter()
        .map(|name| format!("bakeline-{}.1", name.replace(' ', "-")))
        .chain(["bakeline.1".to_owned()])
        .collect();
    let folder = catalog.path().join("man");
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string())
        .collect::<Result<_, _>>()
        .expect("UTF-8");
    assert_eq!(pages, expected);
    let page = fs::read_to_string(folder.join("bakeline-show-image.1")).expect("a page");
    assert!(page.contains("2026-11-30"), "{page}");
    assert!(
        page.contains("bakeline show image") && page.contains("\\fINAME\\fR"),
        "{page}"
    );
}

/// Otherwise the command would act on the local EC2 of another directory.
#[test]
fn directory_before_a_sandbox_command_is_refused() {
    let catalog = TestCatalog::new();
    let hint = ["use `bakeline sandbox up --dir DIR`"];
    for arguments in [
        ["sandbox", "--dir", "/nowhere", "down"],
        ["--dir", "/nowhere", "sandbox", "down"],
    ] {
        catalog.run(&arguments).assert_fails(2, &hint);
    }
}
