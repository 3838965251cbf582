//! Parses the machine-readable output of Packer.

use crate::model::{AmiId, InstanceId, Region};

/// Removes the prefix `==> amazon-ebs.jdk: ` or `    amazon-ebs.jdk: ` of Packer.
pub(super) fn strip_prefix(text: &str) -> &str {
    let text = text.strip_prefix("==> ").unwrap_or(text);
    match text.split_once(": ") {
        Some((name, rest)) if name.starts_with("amazon-ebs.") => rest.trim_start(),
        _ => text,
    }
}

/// A line of machine-readable output: `time,target,type,data…` (Packer documentation,
/// "Machine-Readable Output").
pub(super) struct OutputLine {
    kind: String,
    data: Vec<String>,
}

impl OutputLine {
    pub(super) fn parse(raw: &str) -> Option<Self> {
        let mut fields = raw.split(',');
        fields.next()?.parse::<u64>().ok()?;
        let _target = fields.next()?;
        let kind = fields.next()?.to_owned();
        let unescape = |f: &str| {
            f.replace("%!(PACKER_COMMA)", ",")
                .replace("\\r", "")
                .replace("\\n", "\n")
        };
        Some(Self {
            kind,
            data: fields.map(unescape).collect(),
        })
    }

    /// Returns the text of a message for users. Newer versions renamed `message` to `say`.
    pub(super) fn ui_text(&self) -> Option<&str> {
        (self.kind == "ui")
            .then(|| self.data.get(1).map(String::as_str))
            .flatten()
    }

    /// Returns whether Packer launches its instance next (packer-plugin-amazon,
    /// `step_run_source_instance`).
    pub(super) fn is_launch(&self) -> bool {
        let text = self.ui_text().map(|text| strip_prefix(text.trim()));
        text.is_some_and(|text| text.starts_with("Launching a source AWS instance"))
    }

    /// Returns the instance in a line `Instance ID: i-1`.
    pub(super) fn instance(&self) -> Option<InstanceId> {
        let text = strip_prefix(self.ui_text()?.trim());
        let id = text.strip_prefix("Instance ID: ")?.trim();
        id.starts_with("i-").then(|| InstanceId(id.to_owned()))
    }

    /// Returns the AMIs in a line `artifact,0,id,us-east-1:ami-1,eu-west-1:ami-2`.
    pub(super) fn artifacts(&self) -> Vec<(Region, AmiId)> {
        match (self.kind.as_str(), self.data.as_slice()) {
            ("artifact", [_, id, ids]) if id == "id" => ids
                .split(',')
                .filter_map(|pair| pair.split_once(':'))
                .filter(|(_, ami)| ami.starts_with("ami-"))
                .map(|(region, ami)| (Region::from(region), AmiId::from(ami)))
                .collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn into_error(self) -> Option<String> {
        match (self.kind.as_str(), self.data.as_slice()) {
            ("error", [text, ..]) => Some(text.clone()),
            ("ui", [level, text]) if level == "error" => Some(text.clone()),
            _ => None,
        }
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_readable_lines_are_parsed() {
        let line = |raw: &str| OutputLine::parse(raw).expect(raw);
        let ids =
            line("1,jdk,artifact,0,id,us-east-1:ami-1%!(PACKER_COMMA)us-west-2:ami-2").artifacts();
        assert_eq!(
            ids,
            [
                ("us-east-1".into(), "ami-1".into()),
                ("us-west-2".into(), "ami-2".into())
            ]
        );
        assert_eq!(
            line("1,,ui,error,==> x: no\\nway").into_error().as_deref(),
            Some("==> x: no way")
        );
        assert_eq!(
            line("1,jdk,error,it broke").into_error().as_deref(),
            Some("it broke")
        );
        assert_eq!(
            line("1,,ui,say,==> amazon-ebs.jdk: hello%!(PACKER_COMMA) you")
                .ui_text()
                .map(strip_prefix),
            Some("hello, you")
        );
        let launch = line("1,,ui,say,==> amazon-ebs.jdk: Launching a source AWS instance...");
        assert!(launch.is_launch() && launch.instance().is_none());
        let launched = line("1,,ui,message,    amazon-ebs.jdk: Instance ID: i-0a1");
        assert_eq!(launched.instance(), Some(InstanceId("i-0a1".to_owned())));
        assert!(!launched.is_launch());
        assert!(OutputLine::parse("some noise, with commas, here").is_none());
    }
}
