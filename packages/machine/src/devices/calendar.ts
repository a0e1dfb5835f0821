/** Days and seconds of the proleptic Gregorian calendar, UTC: what the RTC needs, without Date. */

export interface CalendarTime {
  second: number;
  minute: number;
  hour: number;
  /** 1-31 */
  day: number;
  /** 1-12 */
  month: number;
  year: number;
}

const SECONDS_PER_DAY = 86_400;
const DAYS_PER_400_YEARS = 146_097;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAY = 719_468;

/**
 * Years are counted from March, so that the leap day ends a year and month
 * lengths follow one formula (153 days in five months).
 */
export function toEpochSeconds(time: CalendarTime): number {
  const monthFromMarch = (time.month + 9) % 12;
  const year = time.year - (time.month <= 2 ? 1 : 0);
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + time.day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  const days = era * DAYS_PER_400_YEARS + dayOfEra - EPOCH_DAY;
  return days * SECONDS_PER_DAY + time.hour * 3600 + time.minute * 60 + time.second;
}

export function fromEpochSeconds(epochSeconds: number): CalendarTime {
  const days = Math.floor(epochSeconds / SECONDS_PER_DAY);
  const inDay = epochSeconds - days * SECONDS_PER_DAY;
  const shifted = days + EPOCH_DAY;
  const era = Math.floor(shifted / DAYS_PER_400_YEARS);
  const dayOfEra = shifted - era * DAYS_PER_400_YEARS;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = ((monthFromMarch + 2) % 12) + 1;
  return {
    second: inDay % 60,
    minute: Math.floor(inDay / 60) % 60,
    hour: Math.floor(inDay / 3600),
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    month,
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
  };
}

/** 1 for Sunday to 7 for Saturday, as the MC146818 counts. */
export function dayOfWeek(epochSeconds: number): number {
  const days = Math.floor(epochSeconds / SECONDS_PER_DAY);
  return ((((days + 4) % 7) + 7) % 7) + 1;
}
