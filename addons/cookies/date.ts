/**
 * Dates in cookies (RFC 6265 §5.1.1), which are written in more ways than one.
 * @module
 */

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/** What parts the tokens of a date: all but digits, letters, ":" and bytes beyond ASCII. */
const DELIMITERS = /[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+/;
/** Behind the digits of a token anything may come that begins with no digit. */
const TIME = /^(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$)/;
const DAY = /^(\d{1,2})(?:\D|$)/;
const YEAR = /^(\d{2,4})(?:\D|$)/;
/** The Gregorian calendar. */
const FIRST_YEAR = 1601;

/** Milliseconds since the epoch, or null for what is no date. */
export function parseCookieDate(text: string): number | null {
  let time: number[] | null = null,
    day: number | null = null,
    month: number | null = null,
    year: number | null = null;
  for (const token of text.split(DELIMITERS)) {
    let match: RegExpExecArray | null;
    if (time === null && (match = TIME.exec(token))) time = match.slice(1).map(Number);
    else if (day === null && (match = DAY.exec(token))) day = Number(match[1]);
    else if (month === null && MONTHS.includes(token.slice(0, 3).toLowerCase())) {
      month = MONTHS.indexOf(token.slice(0, 3).toLowerCase());
    } else if (year === null && (match = YEAR.exec(token))) year = Number(match[1]);
  }
  if (time === null || day === null || month === null || year === null) return null;
  if (year >= 70 && year <= 99) year += 1900;
  else if (year <= 69) year += 2000;
  const [hour, minute, second] = time;
  if (year < FIRST_YEAR || hour > 23 || minute > 59 || second > 59) return null;
  const date = new Date(Date.UTC(year, month, day, hour, minute, second));
  // Days that a month has not roll over into the next.
  return day >= 1 && date.getUTCDate() === day ? date.getTime() : null;
}
