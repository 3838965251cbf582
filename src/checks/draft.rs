//! Owns the way from a check as written to a valid [`Control`]: every problem at once, then the defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::property::Property;
use super::raw::{Problem, RawCheck, RawCommand, RawFile, RawPackage, RawService};
use super::raw_expect::RawMatcher;
use super::{Command, Control, File, Matcher, Package, Phase, Resource, Service};
use crate::platform::Platform;

/// What every check may carry.
pub(super) struct Common {
    pub(super) id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) impact: Option<f64>,
    pub(super) phase: Option<Vec<Phase>>,
}

/// A resource with its expectations, while problems are gathered.
struct Draft {
    resource: Resource,
    default_id: String,
    phases: &'static [Phase],
    expect: BTreeMap<Property, Matcher>,
    problems: Vec<Problem>,
}

impl RawCheck {
    /// Checks it and fills in the defaults. `taken` holds the ids that are in use and gets the new one.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn into_control(self, taken: &mut BTreeSet<String>) -> Result<Control, Vec<Problem>> {
        let (common, draft) = match self {
            Self::File(raw) => (raw.common(), raw.draft()),
            Self::Package(raw) => (raw.common(), raw.draft()),
            Self::Service(raw) => (raw.common(), raw.draft()),
            Self::Command(raw) => (raw.common(), raw.draft()),
        };
        draft.finish(common, taken)
    }
}

impl RawFile {
    fn draft(self) -> Draft {
        let mut draft = Draft::new(format!("file:{}", self.path), Resource::File(File { path: self.path.clone() }));
        draft.check_path(&self.path);
        draft.expect_bool(Property::Exists, self.exists);
        draft.expect(Property::Type, self.r#type.map(|e| e.0));
        draft.expect(Property::Owner, self.owner.map(|e| e.0));
        draft.expect(Property::Group, self.group.map(|e| e.0));
        draft.expect(Property::Mode, self.mode.map(|e| e.0));
        draft.expect(Property::Size, self.size.map(|e| e.0));
        draft.expect(Property::LinkTarget, self.link_target.map(|e| e.0));
        draft.expect(Property::Content, self.content.map(|e| e.0));
        draft.nothing_of_what_is_absent(self.exists == Some(false), "exists: false");
        draft.by_default(&[Property::Exists]);
        draft
    }
}

impl RawPackage {
    fn draft(self) -> Draft {
        let resource = Resource::Package(Package { name: self.name.clone() });
        let mut draft = Draft::new(format!("package:{}", self.name), resource);
        if self.name.contains('=') {
            draft.problem("name: a version does not belong here", Some("write it as `version`"));
        } else if let Err(wrong) = Platform::Debian.check_package(&self.name) {
            draft.problem(&format!("name: {wrong}"), Some("use a package's name, such as `nginx` or `libc6:amd64`"));
        }
        draft.expect_bool(Property::Installed, self.installed);
        draft.expect(Property::Version, self.version.map(|e| e.0));
        draft.nothing_of_what_is_absent(self.installed == Some(false), "installed: false");
        draft.by_default(&[Property::Installed]);
        draft
    }
}

impl RawService {
    fn draft(self) -> Draft {
        let resource = Resource::Service(Service { name: self.name.clone() });
        let mut draft = Draft::new(format!("service:{}", self.name), resource);
        draft.phases = &[Phase::Boot];
        if let Err(wrong) = super::service::check_name(&self.name) {
            draft.problem(&format!("name: {wrong}"), Some("use a unit's name, such as `nginx` or `apt-daily.timer`"));
        }
        draft.expect_bool(Property::Enabled, self.enabled);
        draft.expect_bool(Property::Running, self.running);
        draft.by_default(&[Property::Enabled, Property::Running]);
        draft
    }
}

impl RawCommand {
    fn draft(self) -> Draft {
        let timeout = self.timeout.unwrap_or(10);
        let resource = Resource::Command(Command { run: self.run.clone(), timeout });
        let mut draft = Draft::new(format!("command:{}", super::facts::brief(self.run.trim().as_bytes())), resource);
        if self.run.trim().is_empty() {
            draft.problem("run: there is no command", Some("write a command line for sh"));
        }
        if self.run.contains('\0') {
            draft.problem("run: a NUL character can't be in a command", Some("remove it"));
        }
        if !(1..=600).contains(&timeout) {
            draft.problem("timeout: it must be 1 to 600 seconds", Some("use a whole number from 1 to 600"));
        }
        draft.expect(Property::Stdout, self.stdout.map(|e| e.0));
        draft.expect(Property::Stderr, self.stderr.map(|e| e.0));
        draft.expect.insert(Property::ExitStatus, Matcher::Eq("0".to_owned()));
        draft.expect(Property::ExitStatus, self.exit_status.map(|e| e.0));
        draft
    }
}

impl Draft {
    fn new(default_id: String, resource: Resource) -> Self {
        let phases = &[Phase::Build, Phase::Boot];
        Self { resource, default_id, phases, expect: BTreeMap::new(), problems: Vec::new() }
    }

    fn problem(&mut self, message: &str, help: Option<&str>) {
        self.problems.push((message.to_owned(), help.map(str::to_owned)));
    }

    fn expect_bool(&mut self, property: Property, expected: Option<bool>) {
        if let Some(expected) = expected {
            self.expect.insert(property, Matcher::bool(expected));
        }
    }

    fn expect(&mut self, property: Property, raw: Option<RawMatcher>) {
        let Some(raw) = raw else { return };
        match Matcher::from_raw(raw, property.kind()) {
            Ok(matcher) => drop(self.expect.insert(property, matcher)),
            Err((message, help)) => self.problems.push((format!("{property}: {message}"), help)),
        }
    }

    fn by_default(&mut self, properties: &[Property]) {
        if self.expect.is_empty() {
            self.expect.extend(properties.iter().map(|p| (*p, Matcher::bool(true))));
        }
    }

    fn nothing_of_what_is_absent(&mut self, absent: bool, said: &str) {
        if absent && self.expect.len() > 1 {
            self.problem(
                &format!("`{said}` and an expectation of what is there contradict each other"),
                Some("remove one of them"),
            );
        }
    }

    fn check_path(&mut self, path: &str) {
        if path.contains(['\0', '\n', '\r']) {
            self.problem("path: NUL and line breaks can't be in it", Some("remove them"));
        }
        if !path.starts_with('/') {
            self.problem("path: it must be absolute", Some("start it with `/`"));
        } else if path != "/" && path[1..].split('/').any(|part| ["", ".", ".."].contains(&part)) {
            self.problem(
                "path: empty parts, `.` and `..` can't be in it",
                Some("write the path itself, without a `/` at its end"),
            );
        }
    }

    fn finish(mut self, common: Common, taken: &mut BTreeSet<String>) -> Result<Control, Vec<Problem>> {
        let impact = common.impact.unwrap_or(0.5);
        if !(0.0..=1.0).contains(&impact) {
            self.problem("impact: it must be 0.0 to 1.0", Some("use a number from 0.0 to 1.0"));
        }
        let phases: BTreeSet<Phase> = common.phase.as_deref().unwrap_or(self.phases).iter().copied().collect();
        if phases.is_empty() {
            self.problem("phase: it would never be judged", Some("name build, boot or both"));
        }
        let line =
            |text: &str| !text.trim().is_empty() && text.chars().count() <= 200 && !text.contains(char::is_control);
        for (key, text) in [("id", &common.id), ("title", &common.title)] {
            if text.as_deref().is_some_and(|text| !line(text)) {
                self.problem(
                    &format!("{key}: it must be one line of 1 to 200 characters"),
                    Some("shorten it, or leave it out"),
                );
            }
        }
        if let Some(id) = common.id.as_ref().filter(|id| taken.contains(*id)) {
            self.problem(
                &format!("id: `{}` is taken by another check", id.escape_debug()),
                Some("choose another one, or leave it out"),
            );
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let id = common.id.unwrap_or_else(|| free(&self.default_id, taken));
        taken.insert(id.clone());
        let title = common.title.unwrap_or_else(|| title(&self.default_id, &self.expect));
        Ok(Control { id, title, impact, phases, resource: self.resource, expect: self.expect })
    }
}

/// The id itself, or with `#2`, `#3`, … when it is taken.
fn free(id: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (2_u32..).map(|n| format!("{id}#{n}"));
    std::iter::once(id.to_owned()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or_default()
}

/// Such as `file /etc/motd: mode "0644", owner "root"`.
fn title(id: &str, expect: &BTreeMap<Property, Matcher>) -> String {
    let all: Vec<String> = expect.iter().map(|(p, m)| format!("{p} {}", m.describe(p.kind()))).collect();
    format!("{}: {}", id.replacen(':', " ", 1), all.join(", "))
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
