//! Writes the files of a new catalog.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::checker::quote_text;
use super::syntax;
use crate::model::Region;

/// Kind of a value of [`Starter`].
#[derive(Debug, Clone, Copy)]
pub enum StarterValue {
    /// Name of the catalog.
    Name,
    /// Region code.
    Region,
    /// Account ID.
    Account,
}

impl StarterValue {
    /// Returns why a value is invalid, or `None` if it is valid.
    #[must_use]
    pub fn problem(self, value: &str) -> Option<String> {
        let (what, syntax) = match self {
            Self::Name => ("catalog name", &syntax::NAME),
            Self::Region => ("Region", &syntax::REGION),
            Self::Account => ("account ID", &syntax::ACCOUNT),
        };
        let advice = syntax.advice.trim_end_matches(", in quotes");
        let value_text = quote_text(value);
        (!syntax.matches(value))
            .then(|| format!("`{value_text}` is not a valid {what}: use {advice}"))
    }

    /// Returns a message for each invalid or repeated value.
    #[must_use]
    pub fn problems(self, values: &[String]) -> Vec<String> {
        let invalid = values.iter().filter_map(|value| self.problem(value));
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        invalid.chain(repeated_values(&values)).collect()
    }
}

/// Returns a message for each value that occurs more than once.
fn repeated_values(values: &[&str]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
    repeated
        .map(|(value, _)| format!("`{}` is repeated: use it once", quote_text(value)))
        .collect()
}

/// Choices for a new catalog.
#[derive(Debug)]
pub struct Starter {
    /// Name of the catalog.
    pub name: String,
    /// Account of the builder.
    pub account: Option<String>,
    /// Regions. Images are built in the first.
    pub regions: Vec<String>,
    /// Accounts of the environment Prod. Empty for the account of the builder.
    pub prod_accounts: Vec<String>,
    /// Base images: name and content of the file.
    pub bases: Vec<(String, String)>,
    /// CI/CD component, if the catalog gets a pipeline for GitLab.
    pub gitlab_component: Option<String>,
}

impl Starter {
    /// Returns a message for each invalid choice.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let accounts: Vec<String> = self.account.iter().cloned().collect();
        let systems: Vec<&str> = self.bases.iter().map(|(name, _)| name.as_str()).collect();
        [
            StarterValue::Name.problems(std::slice::from_ref(&self.name)),
            StarterValue::Region.problems(&self.regions),
            StarterValue::Account.problems(&accounts),
            StarterValue::Account.problems(&self.prod_accounts),
            repeated_values(&systems),
        ]
        .concat()
    }

    /// Returns the paths and contents of all files, relative to the directory of the catalog.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        let mut out = vec![("bakeline.yaml".to_owned(), self.settings())];
        for (name, text) in &self.bases {
            let text = format!(
                "{text}# Checks of the finished image, and the hardening that makes them pass.\n\
                 profiles: [linux-baseline, ssh-baseline, image-hygiene]\n"
            );
            out.push((format!("images/{name}.yaml"), text));
        }
        if let Some((base, _)) = self.bases.first() {
            out.push((
                "images/example.yaml".to_owned(),
                example_image("example", base),
            ));
        }
        if let Some(component) = &self.gitlab_component {
            out.push((".gitlab/bakeline.yml".to_owned(), component.clone()));
            out.push((".gitlab-ci.yml".to_owned(), self.pipeline()));
        }
        out
    }

    /// Returns the pipeline, with the names of the roles that `bakeline permissions` prints.
    fn pipeline(&self) -> String {
        let account = self.account.as_deref().unwrap_or("111111111111");
        let partition = self.partition();
        let role = |name: &str| {
            format!(
                "arn:{partition}:iam::{account}:role/bakeline-{}-{name}",
                self.name
            )
        };
        format!(
            "# Pipeline of the catalog. See the comments in .gitlab/bakeline.yml.\n\
             include:\n  - local: .gitlab/bakeline.yml\n    inputs:\n      \
             # Container image with bakeline and Packer. Replace it.\n      \
             image: registry.example.com/group/bakeline\n      \
             # `bakeline permissions --format cloudformation` creates these roles.\n      \
             read_role: {}\n      release_role: {}\n      promote_role: {}\n      prune_role: {}\n",
            role("read"),
            role("build"),
            role("promote"),
            role("prune"),
        )
    }

    /// Returns the partition of the first Region, for ARNs.
    fn partition(&self) -> &'static str {
        let first = self.regions.first().map_or("", String::as_str);
        Region::from(first).partition()
    }

    fn settings(&self) -> String {
        let mut out = format!(
            "# yaml-language-server: $schema=schema/bakeline.schema.json\n\
             # Settings of the image catalog.\n\
             name: {}\n",
            self.name
        );
        match &self.account {
            Some(account) => {
                let _ = writeln!(
                    out,
                    "# Images are built in this account. Credentials of other accounts are refused.\n\
                     account: \"{account}\""
                );
            }
            None => out.push_str(
                "# Uncomment to refuse credentials of any account except that of the builds.\n\
                 # account: \"111111111111\"\n",
            ),
        }
        let _ = write!(
            out,
            "# Images are built in the first Region and copied to the others.\n\
             regions: [{}]\n\
             # A release reaches the first environment. `bakeline promote` moves a version to the next one.\n\
             environments:\n  - name: Test\n    regions: [{}]\n  - name: Prod\n",
            self.regions.join(", "),
            self.regions.first().map_or("", String::as_str),
        );
        if let Some(first) = self.prod_accounts.first() {
            let accounts: Vec<String> = self
                .prod_accounts
                .iter()
                .map(|id| format!("\"{id}\""))
                .collect();
            let _ = write!(
                out,
                "    accounts: [{}]\n    \
                 # Role in each of the accounts. `bakeline permissions` prints its policies.\n    \
                 role: arn:{}:iam::{first}:role/bakeline\n",
                accounts.join(", "),
                self.partition()
            );
        }
        out.push_str(
            "    # gates: {soak: 2d}    # wait before a promotion\n\
             # Versions that `bakeline prune` keeps in Test besides those in use.\n\
             retention:\n  keep: 3\n\
             # notifiers:\n\
             #   - slack: {webhook_env: BAKELINE_SLACK_WEBHOOK_URL}\n\
             # store: {s3: {bucket: NAME}}    # evidence and locks, shared by people and CI jobs\n",
        );
        out
    }
}

/// Returns the paths and contents of the settings for editors and Git, relative to the directory of the
/// catalog.
#[must_use]
pub fn editor_files() -> Vec<(String, String)> {
    let schemas = serde_json::json!({
        "yaml.schemas": {
            "schema/bakeline.schema.json": "/bakeline.yaml",
            "schema/image.schema.json": "/images/**/*.yaml",
            "schema/profile.schema.json": "/profiles/*.yaml",
            "schema/waivers.schema.json": "/waivers.yaml",
        },
    });
    vec![
        (
            ".editorconfig".to_owned(),
            "# Settings of editors: https://editorconfig.org\n\
             [*.{yaml,yml,json,sh}]\n\
             charset = utf-8\n\
             # Instances cannot run scripts with other line ends.\n\
             end_of_line = lf\n\
             insert_final_newline = true\n\
             trim_trailing_whitespace = true\n\n\
             [*.{yaml,yml,json}]\n\
             indent_style = space\n\
             indent_size = 2\n"
                .to_owned(),
        ),
        (".vscode/settings.json".to_owned(), format!("{schemas:#}\n")),
        (
            ".gitignore".to_owned(),
            "# Runs, store and locks on this machine\n/.bakeline/\n".to_owned(),
        ),
    ]
}

/// Returns the file of a new image on top of another one.
#[must_use]
pub fn example_image(name: &str, parent: &str) -> String {
    format!(
        "# yaml-language-server: $schema=../schema/image.schema.json\n\
         description: Describe {name} here. This example installs jq.\n\
         parent: {parent}\n\
         packages: [jq]\n\
         # files:\n#   - {{source: files/{name}.conf, destination: /etc/{name}.conf}}\n\
         # scripts: [scripts/{name}.sh]\n\
         checks:\n  - {{command: jq --version, stdout: {{match: \"^jq-\"}}}}\n"
    )
}

/// Returns the file of a new profile.
#[must_use]
pub fn example_profile(name: &str) -> String {
    format!(
        "# yaml-language-server: $schema=../schema/profile.schema.json\n\
         # An image uses the profile with `profiles: [{name}]`.\n\
         title: Checks of {name}\n\
         checks:\n  - id: {name}-01\n    title: Only root changes the users\n    \
         file: /etc/passwd\n    owner: root\n    mode: \"0644\"\n"
    )
}
