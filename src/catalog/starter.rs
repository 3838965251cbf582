//! Writes the files of a new catalog.

use std::fmt::Write as _;

use super::syntax::{self, Syntax};

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
        let name = ("catalog name", &syntax::NAME, vec![&self.name]);
        let regions = ("Region", &syntax::REGION, self.regions.iter().collect());
        let accounts = self.account.iter().chain(&self.prod_accounts).collect();
        let accounts = ("account ID", &syntax::ACCOUNT, accounts);
        let check = |(what, syntax, values): (&str, &Syntax, Vec<&String>)| {
            let invalid = values.into_iter().filter(|value| !syntax.matches(value));
            invalid
                .map(|value| {
                    let advice = syntax.advice.trim_end_matches(", in quotes");
                    format!("`{value}` is not a valid {what}: use {advice}")
                })
                .collect::<Vec<_>>()
        };
        [name, regions, accounts]
            .into_iter()
            .flat_map(check)
            .collect()
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
        let role =
            |name: &str| format!("arn:aws:iam::{account}:role/bakeline-{}-{name}", self.name);
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
                 role: arn:aws:iam::{first}:role/bakeline\n",
                accounts.join(", ")
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

/// Returns the file of a new image on top of another one.
#[must_use]
pub fn example_image(name: &str, parent: &str) -> String {
    format!(
        "# yaml-language-server: $schema=../schema/image.schema.json\n\
         description: {name}, an example with the JSON processor jq\n\
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
