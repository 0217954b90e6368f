// SPDX-License-Identifier: Apache-2.0
//! Dates and times as ISO 8601 text in the proleptic Gregorian calendar.

use crate::abi::{failure, Failure, E_INVALID};

const DAY: i64 = 86_400;

/// The date that lies `days` after 1970-01-01.
pub fn date(days: i64) -> String {
    // Counts from 0000-03-01: a leap day then ends its year, and months have lengths of one formula. A cycle of 400 years has
    // 146097 days.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + 400 * cycle + next_year;
    if (0..=9999).contains(&year) {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    format!("{year:+05}-{month:02}-{day:02}")
}

/// A time of day, in ticks since midnight. The fraction takes the fewest of 0, 3, 6 and 9 digits that hold it.
pub fn time_of_day(ticks: i64, per_second: i64) -> Result<String, Failure> {
    let (seconds, fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    if !(0..DAY).contains(&seconds) {
        return failure(E_INVALID, format!("{ticks}/{per_second} s is no time of a day"));
    }
    let nanoseconds = fraction * (1_000_000_000 / per_second);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(match nanoseconds {
        0 => clock,
        n if n % 1_000_000 == 0 => format!("{clock}.{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{clock}.{:06}", n / 1_000),
        n => format!("{clock}.{n:09}"),
    })
}

/// A point in time, in ticks since 1970-01-01T00:00:00; one of the world (`utc`) ends in Z, one of a wall clock does not.
pub fn instant(ticks: i64, per_second: i64, utc: bool) -> Result<String, Failure> {
    let day = DAY * per_second;
    let clock = time_of_day(ticks.rem_euclid(day), per_second)?;
    Ok(format!("{}T{clock}{}", date(ticks.div_euclid(day)), if utc { "Z" } else { "" }))
}
