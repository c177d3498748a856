let code: string | undefined;

/** Takes the code of a link that signs in once out of the address. */
export function takeSignInCode(): void {
  const found = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (found === undefined) return;
  code = found;
  history.replaceState(history.state, '', `${location.pathname}${location.search}`);
}

/** The code that was taken; undefined where the page was not opened by such a link. */
export function givenSignInCode(): string | undefined {
  return code;
}
