//! Compares versions in the order of rpm.
//!
//! The rules are those of `rpmvercmp` and `rpmverCmp` of rpm 4.18 (rpm-version(7) describes them).

use std::cmp::Ordering;

/// Compares two versions of the form `[epoch:]version[-release]` in the order of rpm.
///
/// A missing epoch is 0. A version without a release is older than the same version with one.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (a, b) = (Evr::parse(a), Evr::parse(b));
    compare_parts(a.epoch, b.epoch)
        .then_with(|| compare_parts(a.version, b.version))
        .then_with(|| match (a.release, b.release) {
            (Some(left), Some(right)) => compare_parts(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        })
}

/// Epoch, version and release of a package.
struct Evr<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Evr<'a> {
    /// Splits at the colon after leading digits, and at the last hyphen.
    fn parse(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
            _ => ("0", text),
        };
        let (version, release) = rest
            .rsplit_once('-')
            .map_or((rest, None), |(version, release)| (version, Some(release)));
        Self {
            epoch: if epoch.is_empty() { "0" } else { epoch },
            version,
            release,
        }
    }
}

/// Compares runs of digits, as numbers, and runs of letters, as text. All other characters
/// separate the runs. `~` sorts before the end of the text, and `^` after the end but before a run.
fn compare_parts(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (skip_separators(a), skip_separators(b));
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'~'), _) | (None, Some(b'^')) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => {
                let order = compare_kinds(*left, *right);
                if order.is_ne() {
                    return order;
                }
                let (one, two);
                (one, a) = split_run(a);
                (two, b) = split_run(b);
                let order = compare_runs(one, two);
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|b| b.is_ascii_alphanumeric() || b"~^".contains(b))
        .unwrap_or(text.len());
    &text[start..]
}

/// Compares the kinds of two runs by their first characters: numbers are newer than letters.
fn compare_kinds(a: u8, b: u8) -> Ordering {
    a.is_ascii_digit().cmp(&b.is_ascii_digit())
}

/// Returns the leading digits, or the leading letters, and the rest.
fn split_run(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.first().is_some_and(u8::is_ascii_digit);
    let end = text
        .iter()
        .position(|b| !b.is_ascii_alphanumeric() || b.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Compares two runs of the same kind. Without leading zeros, the longer number is larger.
fn compare_runs(a: &[u8], b: &[u8]) -> Ordering {
    if !a.first().is_some_and(u8::is_ascii_digit) {
        return a.cmp(b);
    }
    let significant = |run: &'_ [u8]| -> Vec<u8> {
        run.iter()
            .copied()
            .skip_while(|digit| *digit == b'0')
            .collect()
    };
    let (a, b) = (significant(a), significant(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
}

#[cfg(test)]
mod tests {
    use super::compare_versions;

    /// Verdicts of `rpm --eval '%{lua:print(rpm.vercmp("A","B"))}'`, rpm 4.18.0.
    const VERDICTS: &[&str] = &[
        "1.0 = 1.0",
        "1.0 < 2.0",
        "2.0.1 < 2.0.1a",
        "5.5p1 < 5.5p2",
        "5.5p10 > 5.5p1",
        "10xyz < 10.1xyz",
        "xyz10 < xyz10.1",
        "xyz.4 < 8",
        "8 > xyz.4",
        "5.5p2 < 5.6p1",
        "6.5p1 > 5.6p1",
        "6.0.rc1 > 6.0",
        "10b2 > 10a1",
        "1.0aa > 1.0a",
        "1.0 = 1.00",
        "1.001 = 1.1",
        "1.0 = 1_0",
        "1.0. = 1.0",
        "1.0 > 1.0~rc1",
        "1.0~rc1 < 1.0~rc2",
        "1.0~rc1~git123 < 1.0~rc1",
        "1.0~~ < 1.0~",
        "1.0^ > 1.0",
        "1.0^git1 < 1.0^git2",
        "1.0^git1 < 1.01",
        "1.0^20160101 < 1.0.1",
        "1.0^20160101^git1 < 1.0^20160102",
        "1.0~rc1^git1 > 1.0~rc1",
        "1.0^git1~pre < 1.0^git1",
        "1.0~^ > 1.0~",
        "a < a1",
        "A < a",
        "1a = 1.a",
        "1.0-1 < 1.0-1.amzn2023",
        "1.0 < 1.0-1",
        "1:1.0-1 > 2.0-1",
        "0:1.0-1 = 1.0-1",
        ":1.0 = 1.0",
        "1:1.0 = 01:1.0",
        "10:1 > 9:1",
        "8.7p1-8.amzn2023.0.13 > 8.7p1-8.amzn2023.0.9",
        "3.0.8-1.amzn2023.0.18 > 3.0.8-1.amzn2023.0.2",
        "2.34-100.el9 > 2.34-60.el9_2.7",
        "6.1.102-111.182.amzn2023 > 6.1.97-104.177.amzn2023",
        "5.14.0-427.el9 < 5.14.0-427.13.1.el9_4",
        "1-99999999999999999999999998 < 1-99999999999999999999999999",
        "1.0-1.el9 < 1.0-1.fc40",
        "2024a-1.el9 < 2024b-1.el9",
        "1.2.3-4 < 1.2.3.4",
        "1-2-3 < 1-2-10",
        "4a:1 < 4:1",
        "1.é < 1.e",
    ];

    #[test]
    fn versions_are_ordered_like_rpm() {
        for row in VERDICTS {
            let [a, verdict, b] = row.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{row}");
            };
            let order = compare_versions(a, b);
            let sign = ["<", "=", ">"][usize::try_from(order as i8 + 1).expect("an index")];
            assert_eq!(sign, verdict, "{row}");
            assert_eq!(compare_versions(b, a), order.reverse(), "{row}");
        }
    }
}
