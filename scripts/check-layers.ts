/**
 * Holds the source to its plan: which room may import which, what only base/ may touch, how long files and functions
 * may be, and that each room has its README. Prints how much it read, and fails when that is too little to be all.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { projectRoot } from '../test/support/declared-schemas.ts';
import { findFunctions, findImports, lineAt, maskSource } from './source-scanner.ts';

/** Lowest first. A room imports from lower layers only; rooms on one layer do not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['base'],
  ['protocol', 'config'],
  ['records', 'security'],
  ['storage', 'network'],
  ['client'],
  ['metadata'],
  ['controller', 'replication'],
  ['coordinator'],
  ['broker'],
  ['console'],
  ['cli'],
];
/** Pairs that the order of the layers would allow. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = { client: ['storage'] };
/** Modules that a room must not know of, whatever base/ offers. */
const FORBIDDEN_MODULES: Readonly<Record<string, RegExp>> = { protocol: /^(node:)?(net|tls|http2?|https|dgram)$/ };

/** Sources of time, chance and files: passed in everywhere but in base/, so that a run can be repeated. */
const SEAMS: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b/g, 'Date.now'],
  [/\bnew\s+Date\s*\(\s*\)/g, 'new Date()'],
  [/\bsetTimeout\b/g, 'setTimeout'],
  [/\bsetInterval\b/g, 'setInterval'],
  [/\bMath\.random\b/g, 'Math.random'],
  [/\bperformance\b/g, 'performance'],
  [/\bprocess\.hrtime\b/g, 'process.hrtime'],
];
const SEAM_MODULES = /^(node:)?(fs|fs\/promises|timers|timers\/promises)$/;

const MAX_FILE_LINES = 600;
const MAX_FUNCTION_LINES = 60;
const MAX_README_LINES = 20;
const MIN_FILES = 60;
const MIN_IMPORTS = 150;
const MIN_FUNCTIONS = 200;
const FOLDERS = ['src', 'test', 'scripts', 'bench'];

export interface SourceFile {
  /** Path from the project's root with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Findings {
  readonly violations: string[];
  imports: number;
  functions: number;
}

/** Checks files; a room is a folder in src/. */
export function checkFiles(files: readonly SourceFile[]): Findings {
  const findings: Findings = { violations: [], imports: 0, functions: 0 };
  for (const file of files) checkFile(file, findings);
  return findings;
}

function checkFile(file: SourceFile, findings: Findings): void {
  const { path, text } = file;
  const masked = maskSource(text);
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > MAX_FILE_LINES) findings.violations.push(`${path}: ${lines} lines, more than ${MAX_FILE_LINES}`);
  for (const found of findFunctions(text, masked)) {
    findings.functions++;
    if (found.lines > MAX_FUNCTION_LINES && !/^(describe|suite)\(/.test(found.head)) {
      findings.violations.push(
        `${path}:${found.line}: function of ${found.lines} lines, more than ${MAX_FUNCTION_LINES}: ${found.head}`,
      );
    }
  }
  for (const { specifier, line } of findImports(text, masked)) {
    findings.imports++;
    const fault = importFault(path, specifier);
    if (fault !== undefined) findings.violations.push(`${path}:${line}: ${fault}`);
  }
  if (!mustUseSeams(path)) return;
  for (const [pattern, name] of SEAMS) {
    for (const match of masked.matchAll(pattern)) {
      findings.violations.push(`${path}:${lineAt(text, match.index)}: ${name} outside base/`);
    }
  }
}

/** Why an import may not be, or undefined. */
function importFault(path: string, specifier: string): string | undefined {
  const room = roomOf(path);
  if (!specifier.startsWith('.')) {
    if (SEAM_MODULES.test(specifier) && mustUseSeams(path)) return `imports ${specifier} outside base/`;
    if (room !== undefined && FORBIDDEN_MODULES[room]?.test(specifier)) return `${room} must not know ${specifier}`;
    return undefined;
  }
  if (!path.startsWith('src/')) return undefined;
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  if (!target.startsWith('src/'))
    return isTest(path) ? undefined : `imports ${target}, which is no part of the product`;
  const targetRoom = roomOf(target);
  if (room === undefined || room === targetRoom) return undefined;
  if (targetRoom === undefined) return `imports ${target}, which lies above all rooms`;
  if (layerOf(targetRoom) >= layerOf(room)) return `${room} imports ${targetRoom}, which is not below it`;
  if (FORBIDDEN[room]?.includes(targetRoom)) return `${room} must not import ${targetRoom}`;
  return undefined;
}

function mustUseSeams(path: string): boolean {
  return path.startsWith('src/') && !isTest(path) && roomOf(path) !== 'base';
}

function isTest(path: string): boolean {
  return path.includes('.test.');
}

/** `storage` of src/storage/log.ts; undefined for src/index.ts and for what is outside src/. */
function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function layerOf(room: string): number {
  return LAYERS.findIndex((layer) => layer.includes(room));
}

/** Rooms that the plan does not know, and READMEs that are missing or too long. */
export function checkRooms(rooms: readonly { readonly name: string; readonly readme: string | undefined }[]): string[] {
  const violations: string[] = [];
  for (const { name, readme } of rooms) {
    if (layerOf(name) === -1) violations.push(`src/${name}: no layer has this room`);
    if (readme === undefined) violations.push(`src/${name}: no README.md`);
    else if (readme.trimEnd().split('\n').length > MAX_README_LINES) {
      violations.push(`src/${name}/README.md: more than ${MAX_README_LINES} lines`);
    }
  }
  return violations;
}

function readSources(root: string): SourceFile[] {
  return FOLDERS.flatMap((folder) => {
    const top = join(root, folder);
    if (!existsSync(top)) return [];
    return readdirSync(top, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.split(sep).includes('node_modules'))
      .map((file) => join(top, file))
      .map((path) => ({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }));
  });
}

function readRooms(root: string, files: readonly SourceFile[]): { name: string; readme: string | undefined }[] {
  const names = new Set(files.map(({ path }) => roomOf(path)).filter((room) => room !== undefined));
  return [...names].sort().map((name) => {
    const path = join(root, 'src', name, 'README.md');
    return { name, readme: existsSync(path) ? readFileSync(path, 'utf8') : undefined };
  });
}

function main(): number {
  const files = readSources(projectRoot);
  const rooms = readRooms(projectRoot, files);
  const { violations, imports, functions } = checkFiles(files);
  violations.push(...checkRooms(rooms));
  if (files.length < MIN_FILES || imports < MIN_IMPORTS || functions < MIN_FUNCTIONS) {
    violations.push(`too little was read below ${dirname(join(projectRoot, 'src'))} to be all of it`);
  }
  for (const violation of violations) console.error(`check-layers: ${violation}`);
  console.log(
    `check-layers: ${files.length} files, ${imports} imports, ${functions} functions, ${rooms.length} rooms, ` +
      `${violations.length} violations`,
  );
  return violations.length === 0 ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main();
