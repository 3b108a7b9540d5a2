/** As much of the DOM as drawing needs, and nothing that could parse HTML. */

type Node = FakeElement | string;

export class FakeElement {
  [property: string]: unknown;
  readonly children: Node[] = [];
  private readonly set = new Map<string, unknown>();

  constructor(readonly tag: string) {
    return new Proxy(this, {
      set(target, name, value) {
        target.set.set(String(name), value);
        return true;
      },
      get: (target, name) => (target.set.has(String(name)) ? target.set.get(String(name)) : Reflect.get(target, name)),
    });
  }

  append(...nodes: Node[]): void {
    this.children.push(...nodes);
  }

  setAttribute(name: string, value: string): void {
    this.set.set(name, value);
  }

  addEventListener(): void {}

  attributes(): Record<string, unknown> {
    return Object.fromEntries(this.set);
  }

  all(): FakeElement[] {
    return [this, ...this.children.flatMap((child) => (typeof child === "string" ? [] : child.all()))];
  }
}

export const fakeDocument = { createElement: (tag: string) => new FakeElement(tag) } as unknown as Document;
