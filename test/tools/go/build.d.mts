export function goTool(name: string): Promise<string>;
