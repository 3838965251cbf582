//! Defines the version of an image.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::NameError;

/// Image version, `YYYYMMDD.N`: the UTC day of the run that built it and a counter within the day.
///
/// Versions are ordered by this value, never by the creation date of an AMI: a copy is newer than
/// its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Day as the number `YYYYMMDD`.
    pub day: u32,
    /// Counter within the day, from 1.
    pub number: u32,
}

impl Version {
    /// Returns the version that follows all versions in `existing` on the UTC day of `now`.
    #[must_use]
    pub fn next(now: Timestamp, existing: impl IntoIterator<Item = Version>) -> Self {
        let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let today = u32::try_from(date.year()).unwrap_or(0) * 10_000
            + u32::from(date.month().unsigned_abs()) * 100
            + u32::from(date.day().unsigned_abs());
        let newest = existing.into_iter().max();
        match newest {
            Some(v) if v.day >= today => v.number.checked_add(1).map_or(
                Self {
                    day: v.day + 1,
                    number: 1,
                },
                |number| Self { day: v.day, number },
            ),
            _ => Self {
                day: today,
                number: 1,
            },
        }
    }
}

impl Version {
    /// Returns the days by which the date of the version is ahead of `now`, if it is more than one.
    #[must_use]
    pub fn days_ahead(self, now: Timestamp) -> Option<i64> {
        let part = |value: u32| i8::try_from(value).ok();
        let year = i16::try_from(self.day / 10_000).ok()?;
        let month = part(self.day / 100 % 100)?;
        let day = jiff::civil::Date::new(year, month, part(self.day % 100)?).ok()?;
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let days = day.duration_since(today).as_hours() / 24;
        (days > 1).then_some(days)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:08}.{}", self.day, self.number))
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parsed = text.split_once('.').and_then(|(day, number)| {
            let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            (day.len() == 8 && digits(day) && digits(number) && !number.starts_with('0'))
                .then(|| {
                    Some(Self {
                        day: day.parse().ok()?,
                        number: number.parse().ok()?,
                    })
                })
                .flatten()
        });
        parsed.ok_or(NameError::Version)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
