/** The local time as text: strftime of C in the locale "C". */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];

/**
 * Returns the time in a format; a directive that is not known stays as it is.
 *
 * @param {Date} date
 * @param {string} format with directives such as `%Y`; a hyphen after `%` leaves out leading zeros
 */
export function strftime(date, format) {
  return format.replace(/%(-?)([A-Za-z%])/g, (directive, hyphen, letter) => {
    const text = directiveText(date, letter);
    if (text === null) return directive;
    return hyphen === "" ? text : text.replace(/^0+(?=\d)/, "");
  });
}

/** @param {Date} date @param {string} letter @returns {string | null} */
function directiveText(date, letter) {
  const digits = (/** @type {number} */ value, width = 2) => String(value).padStart(width, "0");
  switch (letter) {
    case "a":
      return DAYS[date.getDay()].slice(0, 3);
    case "A":
      return DAYS[date.getDay()];
    case "w":
      return String(date.getDay());
    case "b":
      return MONTHS[date.getMonth()].slice(0, 3);
    case "B":
      return MONTHS[date.getMonth()];
    case "d":
      return digits(date.getDate());
    case "m":
      return digits(date.getMonth() + 1);
    case "y":
      return digits(date.getFullYear() % 100);
    case "Y":
      return String(date.getFullYear());
    case "H":
      return digits(date.getHours());
    case "I":
      return digits(date.getHours() % 12 || 12);
    case "M":
      return digits(date.getMinutes());
    case "S":
      return digits(date.getSeconds());
    case "p":
      return date.getHours() < 12 ? "AM" : "PM";
    case "j":
      return digits(dayOfYear(date), 3);
    case "%":
      return "%";
    default:
      return null;
  }
}

/** @param {Date} date */
function dayOfYear(date) {
  const midnight = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return 1 + (midnight - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000;
}
