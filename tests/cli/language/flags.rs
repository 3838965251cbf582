//! Tests that messages name only flags that exist in the command that prints them, or in the command
//! that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bakeline::cli::Cli;
use clap::CommandFactory as _;
use regex::Regex;
use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

use super::files::{Kind, project_files};

/// Code without messages for users: it starts other programs.
const OTHER_PROGRAMS: [&str; 3] = ["src/adapters/", "src/provision/", "src/cli/"];

/// Shared code whose messages appear only in these commands: path, flag, commands.
const SHARED: [(&str, &str, &[&str]); 8] = [
    (
        "src/commands/support/gather.rs",
        "--save-inventory",
        &["plan", "why", "doctor", "prune", "retire"],
    ),
    ("src/commands/support/unreachable.rs", "--region", &["list"]),
    (
        "src/commands/summary/mod.rs",
        "--dry-run",
        &["promote", "hold", "rollback"],
    ),
    ("src/commands/summary/mod.rs", "--apply", &["revoke"]),
    (
        "src/lifecycle/retention.rs",
        "--shared-ok",
        &["prune", "retire"],
    ),
    ("src/lifecycle/rollback.rs", "--to", &["rollback"]),
    ("src/plan/prune/mod.rs", "--most", &["prune"]),
    ("src/plan/prune/mod.rs", "--percent", &["prune"]),
];

/// Text in the source, and the flags that it names.
#[derive(Default)]
struct Texts(Vec<String>);

impl Texts {
    fn add_tokens(&mut self, mut at: Cursor<'_>) {
        while !at.eof() {
            if let Some((inside, _, _, rest)) = at.any_group() {
                self.add_tokens(inside);
                at = rest;
            } else if let Some((literal, rest)) = at.literal() {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                self.0.extend(text.map(|text| text.value()));
                at = rest;
            } else if let Some((_, rest)) = at.token_tree() {
                at = rest;
            }
        }
    }
}

impl<'ast> Visit<'ast> for Texts {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.push(text.value());
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.add_tokens(TokenBuffer::new2(called.tokens.clone()).begin());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }
}

/// Returns the flags of each command, also of subcommands such as `new image`.
fn flags_of_commands() -> BTreeMap<String, BTreeSet<String>> {
    let mut root = Cli::command();
    root.build();
    let mut out = BTreeMap::new();
    let mut pending: Vec<(String, clap::Command)> = root
        .get_subcommands()
        .map(|one| (one.get_name().to_owned(), one.clone()))
        .collect();
    while let Some((name, command)) = pending.pop() {
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        out.insert(name.clone(), flags.map(|one| format!("--{one}")).collect());
        let below = command.get_subcommands();
        pending.extend(below.map(|one| (format!("{name} {}", one.get_name()), one.clone())));
    }
    out
}

/// Flag in a text, with the command line that it belongs to, if the text names one.
#[derive(Debug, PartialEq)]
struct NamedFlag {
    flag: String,
    /// Words before the flag, such as `bakeline plan`. Empty for a flag of the present command.
    command: Vec<String>,
}

static FLAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[\s`(=])(--[a-z][a-z-]+)").expect("a pattern"));
static PROGRAM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[\s`(])(bakeline|aws|packer|jq)\s").expect("a pattern"));

/// Finds the flags in a message. A command is quoted with backticks, or begins at `bakeline` or `aws`.
fn find_flags(text: &str) -> Vec<NamedFlag> {
    let found = FLAG.captures_iter(text).map(|found| {
        let at = found.get(2).expect("a group").start();
        let before = &text[..at];
        let quotes = before.matches('`').count();
        let start = match quotes % 2 {
            1 => before.rfind('`').map(|at| at + 1),
            _ => PROGRAM.find_iter(before).last().map(|m| m.start()),
        };
        // A command ends at the end of its sentence or quotation.
        let words = start.map_or("", |start| {
            before[start..].trim_start_matches(['`', '(', ' '])
        });
        let ends = quotes.is_multiple_of(2) && (words.contains("; ") || words.contains('`'));
        let words = if ends { "" } else { words };
        NamedFlag {
            flag: found[2].to_owned(),
            command: words.split_whitespace().map(str::to_owned).collect(),
        }
    });
    found.collect()
}

/// Returns the commands that print the messages of a file.
fn commands_of(path: &str) -> Vec<String> {
    let Some(name) = path.strip_prefix("src/commands/") else {
        return Vec::new();
    };
    let mut parts = name.trim_end_matches(".rs").split('/');
    match (parts.next(), parts.next()) {
        (Some("check"), _) => vec!["check".to_owned()],
        (Some("support" | "summary"), _) | (_, None) => Vec::new(),
        (_, Some(name)) => vec![name.to_owned()],
    }
}

/// Returns the error for a flag that users cannot pass.
fn problem(
    path: &str,
    named: &NamedFlag,
    known: &BTreeMap<String, BTreeSet<String>>,
) -> Option<String> {
    let flag = &named.flag;
    let has = |command: &str| known.get(command).is_some_and(|flags| flags.contains(flag));
    match &named.command[..] {
        [first, command, rest @ ..] if first == "bakeline" => {
            let nested = rest.first().map(|next| format!("{command} {next}"));
            let is_known = has(command) || nested.is_some_and(|nested| has(&nested));
            // Python implements the commands of the sandbox.
            (!is_known && command != "sandbox")
                .then(|| format!("{path}: `bakeline {command}` has no flag {flag}"))
        }
        [first, ..] if first != "bakeline" => None,
        _ => {
            let mut commands = commands_of(path);
            let shared = SHARED
                .iter()
                .filter(|(of, one, _)| of == &path && one == flag);
            commands.extend(shared.flat_map(|(_, _, of)| of.iter().map(|one| (*one).to_owned())));
            if commands.is_empty() {
                return Some(format!(
                    "{path}: several commands print this text; name the command of {flag}"
                ));
            }
            let without = commands.iter().find(|command| !has(command));
            without.map(|command| format!("{path}: `{command}` has no flag {flag}"))
        }
    }
}

#[test]
fn messages_name_existing_flags() {
    let known = flags_of_commands();
    let (mut found, mut count) = (Vec::new(), 0);
    for file in project_files() {
        let skipped = OTHER_PROGRAMS
            .iter()
            .any(|start| file.path.starts_with(start));
        if file.kind != Kind::Rust || !file.path.starts_with("src/") || skipped || file.is_test() {
            continue;
        }
        let mut texts = Texts::default();
        texts.visit_file(&syn::parse_file(&file.text).expect("a Rust file"));
        for text in texts.0.iter().filter(|text| text.contains(' ')) {
            for named in find_flags(text) {
                count += 1;
                found.extend(
                    problem(&file.path, &named, &known).map(|why| format!("{why}: {text}")),
                );
            }
        }
    }
    assert!(count > 40, "only {count} flags were found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn missing_flags_are_found() {
    let known = flags_of_commands();
    let problems = |path: &str, text: &str| -> Vec<String> {
        let found = find_flags(text).into_iter();
        found
            .filter_map(|named| problem(path, &named, &known))
            .collect()
    };
    for (path, text) in [
        ("src/steps/errors.rs", "wait a moment, or lower --jobs"),
        ("src/steps/errors.rs", "run `bakeline doctor --jobs 1`"),
        (
            "src/commands/lifecycle/doctor.rs",
            "run again with --jobs 1",
        ),
        (
            "src/steps/a.rs",
            "see `bakeline plan`, or name the file with --known-hosts",
        ),
    ] {
        assert_eq!(problems(path, text).len(), 1, "{text}");
    }
    for (path, text) in [
        ("src/steps/errors.rs", "run `bakeline release --jobs 1`"),
        (
            "src/steps/errors.rs",
            "see `aws ec2 describe-images --region eu-west-1`",
        ),
        ("src/commands/lifecycle/doctor.rs", "run again with --apply"),
        (
            "src/steps/a.rs",
            "add it: bakeline new image web --parent base",
        ),
    ] {
        assert_eq!(problems(path, text), Vec::<String>::new(), "{text}");
    }
}
