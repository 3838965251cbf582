//! Selects the cases of tests with many cases: a few for the everyday loop, a rotating sample for CI, or
//! all of them for `make matrix`.

use proptest::test_runner::Config;

/// Environment variable that selects all cases.
const VARIABLE: &str = "BAKELINE_MATRIX";

/// Environment variable with the number of the first case of a rotating sample. CI derives it from the
/// commit. A run without it tests only some cases of the sample.
const OFFSET: &str = "BAKELINE_SAMPLE_OFFSET";

/// Number of cases of a sample for each case of the everyday loop, which always takes the same ones.
const EVERYDAY: usize = 4;

/// Part of the cases that this run tests.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Selection {
    Few,
    Sample { offset: usize },
    All,
}

impl Selection {
    /// Reads the variables of this run.
    #[expect(clippy::disallowed_methods, reason = "tests read the environment")]
    fn read() -> Self {
        if std::env::var_os(VARIABLE).is_some_and(|value| value == "1") {
            return Self::All;
        }
        let offset = std::env::var(OFFSET).ok();
        let offset = offset.and_then(|text| text.parse().ok());
        offset.map_or(Self::Few, |offset| Self::Sample { offset })
    }

    /// Returns every `step`th case of a sample.
    fn take<T>(self, test: &str, step: usize, cases: Vec<T>) -> Vec<T> {
        // Each selection has a case, and that of the everyday loop has at least three.
        let sampled = step.min(cases.len()).max(1);
        let few = (step * EVERYDAY).min(cases.len() / 3).max(sampled);
        let (first, step) = match self {
            Self::Few => (0, few),
            Self::Sample { offset } => (offset % sampled, sampled),
            Self::All => (0, 1),
        };
        print_selection(test, self, step);
        cases.into_iter().skip(first).step_by(step).collect()
    }
}

/// Returns every `step`th case, fewer in the everyday loop, or all cases in a full run. The sample
/// depends on the variable, which is printed so that a failure can be repeated.
pub(crate) fn select_cases<T>(
    test: &str,
    step: usize,
    cases: impl IntoIterator<Item = T>,
) -> Vec<T> {
    let cases: Vec<T> = cases.into_iter().collect();
    Selection::read().take(test, step, cases)
}

/// Returns about `count` cases like [`select_cases`], spread over all of them.
pub(crate) fn select_rotating<T>(
    test: &str,
    count: usize,
    cases: impl IntoIterator<Item = T>,
) -> Vec<T> {
    let cases: Vec<T> = cases.into_iter().collect();
    let step = cases.len().div_ceil(count).max(1);
    Selection::read().take(test, step, cases)
}

/// Returns a configuration of proptest with the number of cases of this run.
pub(crate) fn proptest_config(sample: u32, full: u32) -> Config {
    let few = u32::try_from(EVERYDAY).map_or(sample, |part| sample.div_ceil(part));
    Config::with_cases(match Selection::read() {
        Selection::Few => few,
        Selection::Sample { .. } => sample,
        Selection::All => full,
    })
}

#[expect(
    clippy::print_stderr,
    reason = "a failure is repeated with the same cases"
)]
fn print_selection(test: &str, selection: Selection, step: usize) {
    match selection {
        Selection::Few => eprintln!("{test}: every {step}th case, {OFFSET} is not set"),
        Selection::Sample { offset } => eprintln!("{test}: every {step}th case, {OFFSET}={offset}"),
        Selection::All => eprintln!("{test}: all cases"),
    }
}

#[test]
fn selections_are_spread_over_all_cases() {
    let take = |selection: Selection, step| selection.take("test", step, (1..=8).collect());
    assert_eq!(take(Selection::Sample { offset: 0 }, 3), [1, 4, 7]);
    assert_eq!(take(Selection::Sample { offset: 5 }, 3), [3, 6]);
    assert_eq!(take(Selection::Few, 1), [1, 3, 5, 7]);
    let long: Vec<i32> = Selection::Few.take("test", 2, (1..=40).collect());
    assert_eq!(long, [1, 9, 17, 25, 33]);
    assert_eq!(take(Selection::Sample { offset: 13 }, 20), [6]);
    assert_eq!(take(Selection::Few, 20), [1]);
    assert_eq!(take(Selection::All, 3), [1, 2, 3, 4, 5, 6, 7, 8]);
}
