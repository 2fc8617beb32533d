import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import type { GroupSeen } from './group-watch.ts';
import { pictureOf, Stage, statusLine } from './stage.ts';

const workers: GroupSeen = {
  group: 'workers',
  state: 'Stable',
  partitions: [0, 0, 0, 1, 1, 1].map((worker, at) => ({ owner: `worker-${worker + 1}`, lag: at * 100 })),
  lag: 1500,
};
const audit: GroupSeen = {
  group: 'audit',
  state: 'Empty',
  partitions: Array.from({ length: 6 }, () => ({ owner: undefined, lag: undefined })),
  lag: 0,
};
const scene = { sent: 12_345, perSecond: 1000, groups: [workers, audit] };

class Screen {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 60;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

describe('the picture of the groups', () => {
  it('has a line a partition, with its owners and how far behind they are', () => {
    const lines = pictureOf(scene);
    assert.match(lines[0]!, /12,345 lines sent, 1,000 a second/);
    assert.match(lines[2]!, /workers \(Stable\) +audit \(Empty\)/);
    assert.match(lines[4]!, /^ +0 +worker-1 +0 .*nobody +-/);
    assert.match(lines[9]!, /^ +5 +worker-2 +500 ▇▇▇▇▇ .*nobody +-/);
  });

  it('fits one line where there is no terminal', () => {
    assert.equal(
      statusLine(scene),
      '12,345 sent; workers: worker-1 0,1,2 | worker-2 3,4,5, lag 1,500; audit: nobody 0,1,2,3,4,5, lag 0',
    );
  });
});

describe('the stage', () => {
  it('on a terminal is drawn over, with lines that fit, and gives the cursor back', () => {
    const screen = new Screen(true);
    const stage = new Stage(screen, new SimulatedClock());
    stage.show(scene);
    const first = screen.text;
    const height = first.split('\n').length - 1;
    screen.text = '';
    stage.tell('a worker comes');
    assert.ok(screen.text.startsWith(`\u001b[${height}A\r\u001b[0J`), 'goes back over the whole picture');
    assert.match(screen.text, /0\.0 s {2}a worker comes/);
    for (const line of screen.text.split('\n')) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal takes as commands has no width.
      const visible = line.replace(/\u001b\[[0-9;?]*[A-Za-z]|\r/g, '');
      assert.ok(visible.length <= 60, visible);
    }
    for (let event = 0; event < 20; event++) stage.tell(`event ${event}`);
    assert.doesNotMatch(screen.text.slice(screen.text.lastIndexOf('event 19') - 400), /event 12\n/);
    stage.end();
    assert.ok(screen.text.endsWith('\u001b[?25h'));
  });

  it('elsewhere is lines: every event, and now and then how things stand', () => {
    const screen = new Screen(false);
    const clock = new SimulatedClock();
    const stage = new Stage(screen, clock);
    stage.tell('begins');
    for (let at = 0; at < 10; at++) {
      clock.advance(500);
      stage.show(scene);
    }
    stage.end();
    const lines = screen.text.trimEnd().split('\n');
    assert.deepEqual([lines.length, lines.filter((line) => line.includes('12,345 sent')).length], [3, 2]);
    assert.ok(!screen.text.includes('\u001b'));
  });
});
