// Numbers for people: binary units and three digits, as the program prints them.

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/** `734003200` → `700 MiB`. */
export function bytes(count: number): string {
  if (count < 1024) return `${Math.round(count)} B`;
  let size = count / 1024;
  let unit = 0;
  // What would be shown as 1024 is 1.00 of the next unit.
  while (size >= 1023.5 && unit + 1 < UNITS.length) {
    size /= 1024;
    unit += 1;
  }
  const decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return `${size.toFixed(decimals)} ${UNITS[unit]}`;
}

export function rate(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** Never 100 % before all is there, and never 0 % once there is something. */
export function percent(part: number, whole: number): string {
  const share = shareOf(part, whole);
  if (share >= 1) return "100 %";
  const shown = Math.min(Math.max(share * 100, share > 0 ? 0.1 : 0), 99.9);
  return `${shown < 10 && shown > 0 ? shown.toFixed(1) : Math.floor(shown)} %`;
}

/** From 0 to 1, whatever a client claims. */
export function shareOf(part: number, whole: number): number {
  return whole > 0 ? Math.min(Math.max(part / whole, 0), 1) : 0;
}

/** `4000` → `1 h 6 min`; two units at most. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole < 600 && whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.round(whole / 60)} min`;
  if (whole < 86_400) {
    const minutes = Math.round((whole % 3600) / 60);
    return `${Math.floor(whole / 3600)} h${minutes && minutes < 60 ? ` ${minutes} min` : ""}`;
  }
  return count(Math.round(whole / 86_400), "day");
}

/** Given on for each byte held. */
export function ratio(uploaded: number, downloaded: number): string {
  if (downloaded <= 0) return uploaded > 0 ? "∞" : "0.00";
  const value = uploaded / downloaded;
  return value < 1000 ? value.toFixed(2) : "> 1000";
}

export function count(number: number, thing: string, things = `${thing}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? thing : things}`;
}
