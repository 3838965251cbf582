//! Owns what a shell's profile makes of PATH, as far as its text tells: plain assignments, and those that depend on whether
//! root logs in.

/// Whether the statements at hand are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Yes,
    No,
    /// That is decided when it runs.
    Perhaps,
}

/// The value of PATH after a profile's lines (those that have to do with it), from what it was before.
///
/// # Errors
/// An assignment that may or may not be made, or whose value is made while it runs.
pub(super) fn assigned(
    file: &str,
    lines: &[String],
    root: bool,
    before: Option<String>,
) -> Result<Option<String>, String> {
    let mut path = before;
    let mut nested: Vec<Run> = Vec::new();
    for statement in lines.iter().flat_map(|line| statements(line)) {
        let mut rest = statement.as_str();
        loop {
            let word = rest.split([' ', '\t']).next().unwrap_or_default();
            let after = rest[word.len()..].trim_start();
            match word {
                "if" => nested.push(condition(after, root)),
                "elif" => turn(&mut nested, Run::Perhaps),
                "else" => {
                    let other = match nested.last() {
                        Some(Run::Yes) => Run::No,
                        Some(Run::No) => Run::Yes,
                        _ => Run::Perhaps,
                    };
                    turn(&mut nested, other);
                    rest = after;
                    continue;
                }
                "then" | "do" | "{" => {
                    rest = after;
                    continue;
                }
                "for" | "while" | "until" | "case" => nested.push(Run::Perhaps),
                "fi" | "done" | "esac" | "}" => drop(nested.pop()),
                _ if function(rest) => nested.push(Run::Perhaps),
                _ => {}
            }
            break;
        }
        let Some(value) = assignment(rest) else {
            continue;
        };
        if nested.contains(&Run::No) {
            continue;
        }
        let why = |what: &str| {
            format!(
                "{file}: {what}: {}",
                crate::text::brief(statement.as_bytes())
            )
        };
        match value {
            Some(_) if nested.contains(&Run::Perhaps) => {
                return Err(why("whether PATH is set here is decided when it runs"));
            }
            Some(value) => {
                path = Some(
                    expanded(value, path.as_deref())
                        .ok_or_else(|| why("PATH is made when it runs"))?,
                )
            }
            None if nested.contains(&Run::Perhaps) => {
                return Err(why("whether PATH is set here is decided when it runs"));
            }
            None => return Err(why("whether PATH is set here is decided when it runs")),
        }
    }
    Ok(path)
}

fn turn(nested: &mut [Run], to: Run) {
    if let Some(last) = nested.last_mut() {
        *last = to;
    }
}

/// A line's statements: what `;` outside of quotes separates, without comments.
fn statements(line: &str) -> Vec<String> {
    let (mut out, mut now, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (None, '#') if now.is_empty() || now.ends_with([' ', '\t']) => break,
            (None, ';') => out.push(std::mem::take(&mut now)),
            (None, '"' | '\'') => {
                quote = Some(c);
                now.push(c);
            }
            (Some(q), c) => {
                quote = if q == c { None } else { Some(q) };
                now.push(c);
            }
            (None, c) => now.push(c),
        }
    }
    out.push(now);
    out.into_iter()
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect()
}

/// What a condition comes to: only who logs in is known.
fn condition(text: &str, root: bool) -> Run {
    let text: String = text
        .chars()
        .filter(|c| !"\"'`$(){} \t".contains(*c))
        .collect();
    let is = |holds: bool| if holds { Run::Yes } else { Run::No };
    let of_root = ["id-u", "EUID", "UID"]
        .iter()
        .find_map(|who| text.strip_prefix('[').unwrap_or(&text).strip_prefix(*who));
    match of_root.map(|rest| rest.trim_end_matches(']')) {
        Some("-eq0" | "=0" | "==0") => is(root),
        Some("-ne0" | "!=0" | "-gt0") => is(!root),
        _ => Run::Perhaps,
    }
}

/// Whether a function begins here: `name()`.
fn function(text: &str) -> bool {
    let name = text.split('(').next().unwrap_or_default().trim_end();
    let rest = text[name.len()..].trim_start();
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && rest.starts_with('(')
        && rest[1..].trim_start().starts_with(')')
}

/// The value that a statement gives PATH; none within: it gives it one somewhere in it, as in `[ … ] && PATH=…`.
fn assignment(text: &str) -> Option<Option<&str>> {
    let plain = text.strip_prefix("export ").map_or(text, str::trim_start);
    if let Some(value) = plain.strip_prefix("PATH=") {
        return Some(Some(value));
    }
    let own = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices("PATH=")
        .any(|(at, _)| own(at))
        .then_some(None)
}

/// A value with PATH itself in it expanded; none where anything else would have to be.
fn expanded(value: &str, path: Option<&str>) -> Option<String> {
    let value = value.trim();
    let (quote, inner) = match value.chars().next() {
        Some(q @ ('"' | '\'')) => (q, value[1..].strip_suffix(q)?),
        _ => (' ', value),
    };
    if inner.contains(['"', '\'', '`', '\\', '&', '|'])
        || (quote == ' ' && inner.contains([' ', '\t']))
    {
        return None;
    }
    if quote == '\'' {
        return Some(inner.to_owned());
    }
    let filled = inner.replace("${PATH}", path.unwrap_or_default());
    let filled = match filled.split_once("$PATH") {
        Some((before, after))
            if !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') =>
        {
            format!("{before}{}{after}", path.unwrap_or_default())
        }
        Some(_) => return None,
        None => filled,
    };
    (!filled.contains('$')).then_some(filled)
}

/// The directories of a PATH.
pub(super) fn path_of(text: &str) -> Vec<String> {
    text.split(':').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, root: bool) -> String {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        match assigned("f", &lines, root, Some("/was".to_owned())) {
            Ok(path) => path.unwrap_or_default(),
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn profiles_are_followed_as_far_as_they_tell() {
        let debian = "if [ \"$(id -u)\" -eq 0 ]; then\n  PATH=\"/sbin:/bin\"\nelse\n  PATH=\"/bin:/games\"\nfi\nexport PATH\n\
            if [ \"${PS1-}\" ]; then\n  if [ \"${BASH-}\" ]; then\n  else\n  fi\nfi\nfor i in /etc/profile.d/*.sh; do\n  if [ -r $i ]; then\n  fi\ndone\n";
        for (text, root, user) in [
            (debian, "/sbin:/bin", "/bin:/games"),
            ("PATH=/a", "/a", "/a"),
            ("export PATH=/a:$PATH", "/a:/was", "/a:/was"),
            ("PATH=\"${PATH}:/b\"; export PATH", "/was:/b", "/was:/b"),
            ("PATH='/a:$x'", "/a:$x", "/a:$x"),
            ("MANPATH=/a\nCDPATH=/b", "/was", "/was"),
            ("#PATH=/a\nx=1 # PATH=/b", "/was", "/was"),
            ("if [ -d /x ]; then PATH=/x; fi", "error", "error"),
            ("[ -d /x ] && PATH=/x", "error", "error"),
            ("case x in\n*) PATH=/x ;;\nesac", "error", "error"),
            ("for d in /x; do PATH=$PATH:$d; done", "error", "error"),
            ("pathmunge () {\nPATH=$PATH:$1\n}", "error", "error"),
            ("PATH=$HOME/bin:$PATH", "error", "error"),
            ("PATH=$(x)", "error", "error"),
            ("PATH=/a:$PATHS", "error", "error"),
            ("if [ $EUID = 0 ]; then PATH=/r; fi", "/r", "/was"),
            ("if [ `id -u` != 0 ]; then PATH=/u; fi", "/was", "/u"),
            ("if [ -d /x ]; then\nfi\nPATH=/a", "/a", "/a"),
        ] {
            assert_eq!(
                (after(text, true).as_str(), after(text, false).as_str()),
                (root, user),
                "{text}"
            );
        }
    }
}
