/**
 * Looks at TypeScript text without a parser: masks comments, strings and regular expressions, then finds imports and
 * functions by their brackets. It knows as much grammar as the checks need and no more.
 */

export interface ImportFound {
  readonly specifier: string;
  readonly line: number;
}

export interface FunctionFound {
  /** Line of the opening brace. */
  readonly line: number;
  readonly lines: number;
  /** What stands before the brace, for the message. */
  readonly head: string;
}

/**
 * The text with everything blanked that is not code: comments wholly, strings and regular expressions but for their
 * quotes. Line breaks stay, so that positions and lines are those of the original.
 */
export function maskSource(text: string): string {
  const out = text.split('');
  const blank = (from: number, to: number): void => {
    for (let index = from; index < to; index++) if (out[index] !== '\n') out[index] = ' ';
  };
  /** For each open template expression, how many braces are open inside it. */
  const templates: number[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    const two = text.slice(at, at + 2);
    let end = at + 1;
    if (two === '//') {
      end = endOr(text.indexOf('\n', at), text.length);
      blank(at, end);
    } else if (two === '/*') {
      end = endOr(text.indexOf('*/', at + 2), text.length - 2) + 2;
      blank(at, end);
    } else if (char === "'" || char === '"') {
      end = skipQuoted(text, at, char);
      blank(at + 1, end - 1);
    } else if (char === '/' && startsRegularExpression(text, at)) {
      end = skipRegularExpression(text, at);
      blank(at + 1, end - 1);
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      end = skipTemplate(text, at + 1);
      const opens = text[end - 1] === '{';
      if (opens) templates.push(0);
      // The braces of a template's expressions are blanked too: they open no block.
      blank(at, end);
    } else if (templates.length > 0 && (char === '{' || char === '}')) {
      templates[templates.length - 1]! += char === '{' ? 1 : -1;
    }
    at = end;
  }
  return out.join('');
}

function endOr(found: number, otherwise: number): number {
  return found === -1 ? otherwise : found;
}

function skipQuoted(text: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** From inside a template to after its closing backtick, or after the `${` that opens its next expression. */
function skipTemplate(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    if (text[at] === '`') return at + 1;
    if (text[at] === '$' && text[at + 1] === '{') return at + 2;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

/** A slash starts a regular expression where no operand stands before it. */
function startsRegularExpression(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  if (before === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before)) return true;
  return /\b(?:return|typeof|case|in|of|do|else|void|await)$/.test(before);
}

function skipRegularExpression(text: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  for (; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) break;
  }
  return at + 1;
}

/** Static imports, re-exports and dynamic imports with a literal specifier. */
export function findImports(text: string, masked = maskSource(text)): ImportFound[] {
  const found: ImportFound[] = [];
  const pattern = /\b(?:import|export)\b[^;'"()]*?\bfrom\s*['"]|\bimport\s*\(?\s*['"]/g;
  for (const match of masked.matchAll(pattern)) {
    const from = match.index + match[0].length;
    const quote = masked[from - 1]!;
    const specifier = text.slice(from, text.indexOf(quote, from));
    found.push({ specifier, line: lineAt(text, match.index) });
  }
  return found;
}

/** Every function, method and arrow function with a block, innermost included. */
export function findFunctions(text: string, masked = maskSource(text)): FunctionFound[] {
  const found: FunctionFound[] = [];
  const open: number[] = [];
  for (let at = 0; at < masked.length; at++) {
    if (masked[at] === '{') open.push(at);
    if (masked[at] !== '}') continue;
    const start = open.pop();
    if (start === undefined || !opensFunction(masked, start)) continue;
    const line = lineAt(text, start);
    const head = text.slice(text.lastIndexOf('\n', start) + 1, start).trim();
    found.push({ line, lines: lineAt(text, at) - line + 1, head });
  }
  return found;
}

const BLOCK_WORDS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with']);

/** Whether the brace at `at` opens the body of a function rather than a block, a class or an object. */
function opensFunction(masked: string, at: number): boolean {
  let before = skipSpaceBack(masked, at - 1);
  if (masked[before] === '>' && masked[before - 1] === '=') return true;
  if (masked[before] === ')') return isParameterList(masked, before);
  // Behind a return type: walk back over it to the colon that follows the parameters.
  while (before >= 0) {
    const char = masked[before]!;
    if (char === ':') {
      const paren = skipSpaceBack(masked, before - 1);
      return masked[paren] === ')' && isParameterList(masked, paren);
    }
    if (char === ')' || char === ']') before = matchingBack(masked, before);
    else if (char === '}') {
      before = matchingBack(masked, before);
      // An object type follows one of these; a block does not, and then no function's head stands here.
      if (!/(?:[:<|&,(]|=>|\bis)\s*$/.test(masked.slice(Math.max(0, before - 40), before))) return false;
    } else if (!/[\w$\s<>|&,.?'"[\]=]/.test(char)) return false;
    else if (char === '=' && masked[before + 1] !== '>') return false;
    before--;
  }
  return false;
}

/** Whether the parenthesis that closes at `close` holds parameters, and not a condition. */
function isParameterList(masked: string, close: number): boolean {
  const open = matchingBack(masked, close);
  const word = /([A-Za-z_$][\w$]*)\s*$/.exec(masked.slice(Math.max(0, open - 60), open));
  return word === null || !BLOCK_WORDS.has(word[1]!);
}

function skipSpaceBack(masked: string, from: number): number {
  let at = from;
  while (at >= 0 && /\s/.test(masked[at]!)) at--;
  return at;
}

function matchingBack(masked: string, close: number): number {
  let depth = 0;
  for (let at = close; at >= 0; at--) {
    if (')]}'.includes(masked[at]!)) depth++;
    else if ('([{'.includes(masked[at]!) && --depth === 0) return at;
  }
  return 0;
}

export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
