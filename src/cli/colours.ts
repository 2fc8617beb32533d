import picocolors from 'picocolors';

const bothAreTerminals = process.stdout.isTTY === true && process.stderr.isTTY === true;

/** Colours for people: none as soon as a stream goes to a file or a pipe, whatever the environment is said to show. */
export const colours = picocolors.createColors(bothAreTerminals && process.env['NO_COLOR'] === undefined);
