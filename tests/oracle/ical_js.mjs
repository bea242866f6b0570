// Reads calendars with ical.js: JSON lists of [key, text in base64] come in, {key: {calendar} or {error}} goes out.
//
// ical.js is not installed beside this file, so the folder that holds it is given as the argument.

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const ICAL = createRequire(`${process.argv[2]}/`)("ical.js");

function read(base64) {
  try {
    // As a browser would: a byte order mark is no text, and what is not UTF-8 is replaced.
    return { calendar: ICAL.parse(new TextDecoder().decode(Buffer.from(base64, "base64"))) };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

const calendars = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(Object.fromEntries(calendars.map(([key, base64]) => [key, read(base64)]))));
